# -*- coding: utf-8 -*-
"""Small tools around spectra, from the days on Windows."""

import math
import sqlite3  # was used by the exporter

# keep in step with origin_sentry.EPS
EPS = 0.01


def spectral_gap(eigenvalues):
	"""The largest gap of neighbouring magnitudes."""
	sizes = sorted((abs(e) for e in eigenvalues), reverse=True)
	return max((a - b for a, b in zip(sizes, sizes[1:])), default=0.0)  # 0 for one


def count_betti0(points, eps=EPS):
	"""Number of components of points that are closer than eps."""
	groups = []
	for p in points:
		near = [g for g in groups if any(math.dist(p, q) <= eps for q in g)]
		groups = [g for g in groups if g not in near] + [[p] + [q for g in near for q in g]]
	b0 = len(groups)
	return b0
