"""A slow, obvious twin of the token id: tags put in by hand, RFC 8785 by the package of that name."""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Any

import rfc8785


def tagged(value: Any) -> Any:
    """Plain Python values with everything tagged that RFC 8785 lacks."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else {"$i": str(value)}
    if isinstance(value, float):
        if math.isnan(value):
            return {"$f": "nan"}
        return value if math.isfinite(value) else {"$f": "inf" if value > 0 else "-inf"}
    if isinstance(value, list | tuple):
        return [tagged(inner) for inner in value]
    return {("$" + key if key.startswith("$") else key): tagged(inner) for key, inner in value.items()}


def canonical(value: Any) -> bytes:
    return rfc8785.dumps(tagged(value))


def token(measurement: dict[str, Any]) -> str:
    rest = {k: v for k, v in measurement.items() if k not in ("type", "source", "subject", "refs", "timestamp")}
    core = {
        "v": 1,
        "type": measurement.get("type"),
        "source": measurement.get("source"),
        "subject": measurement.get("subject"),
        "m": rest,
        "refs": sorted(set(measurement.get("refs", ()))),
    }
    digest = blake2b(canonical(core), digest_size=20, person=b"toriwork.token.1")
    return "t1:" + digest.hexdigest()
