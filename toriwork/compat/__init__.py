"""The ground of migrated code; new code uses :class:`toriwork.registry.SpectralDB` and the monitors themselves.

``toriwork migrate`` writes imports of these names into the core modules that it deploys.
"""

from toriwork.compat.measurements import emit_measurement, emitting
from toriwork.compat.signature_table import SignatureTable, stream_of
from toriwork.compat.spectral_db import AdoptedSpectralDB, stream_for

__all__ = ["AdoptedSpectralDB", "SignatureTable", "emit_measurement", "emitting", "stream_for", "stream_of"]
