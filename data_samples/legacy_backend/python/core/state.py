"""The state that the monitors share."""

from dataclasses import dataclass, field
from typing import Dict


@dataclass
class EntityState:
    """Phase and coherence of one entity."""

    phase: float = 0.0
    coherence: str = "local"
    labels: Dict[str, str] = field(default_factory=dict)


def describe_state(state: EntityState) -> str:
    """One line for the log."""
    return f"phase={state.phase:.3f} coherence={state.coherence}"
