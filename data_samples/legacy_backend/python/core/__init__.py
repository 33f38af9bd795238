"""Core of the backend."""

from .state import EntityState, describe_state

__all__ = [
    "EntityState",
    "describe_state",
]
