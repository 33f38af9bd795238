"""A process with one OriginSentry: a JSON line [eigenvalues, betti] in, the classification as a JSON line out."""

from __future__ import annotations

import json
import sys

from toriwork.monitors import OriginSentry

sentry = OriginSentry(name="child")
for line in sys.stdin:
    eigenvalues, betti = json.loads(line)
    found = sentry.classify([complex(*value) for value in eigenvalues], betti)
    sys.stdout.write(json.dumps([found, sentry.should_inject_entropy(), sentry.get_emergence_report()]) + "\n")
    sys.stdout.flush()
