"""Who listens to cells in these tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Ears:
    """An observer that is no ObserverSynthesis."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def emit_token(self, measurement: Mapping[str, Any]) -> str:
        """The number of the measurement in place of a token."""
        self.heard.append(dict(measurement))
        return f"t1:{len(self.heard)}"
