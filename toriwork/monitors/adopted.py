"""The home of these names in version 0.1, from which code that it migrated imports them."""

from toriwork.compat import AdoptedSpectralDB, emit_measurement, emitting, stream_for

__all__ = ["AdoptedSpectralDB", "emit_measurement", "emitting", "stream_for"]
