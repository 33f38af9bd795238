"""Endurance runs: processes record, publish and read one registry, are killed at random, and no row may be lost.

``run`` leads a run, ``pool`` starts and kills its processes, ``worker`` is one of them, ``ledger`` compares what was
promised with what is there.
"""
