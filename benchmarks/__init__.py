"""Rates and times of toriwork as ratios to peers that are measured in the same run.

One module, one group of lines; ``python -m benchmarks`` prints them as a table. Nothing here is part of the package.
"""
