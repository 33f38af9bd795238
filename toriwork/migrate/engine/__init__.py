"""A code base moved off its database as one plan: shown first, applied step by step, resumable, and undone exactly."""
