"""Slow, obvious twins of the four monitors, written from their definitions alone: plain Python and loops."""

from __future__ import annotations

import cmath
import math
from itertools import pairwise

EPS = 0.01


# ---- OriginSentry ----------------------------------------------------------------------------------------------------


def sizes_of(eigenvalues):
    return sorted((abs(complex(value)) for value in eigenvalues), reverse=True)


def padded_mean(one, other):
    """Mean absolute difference of sorted magnitudes, zeros at the small end of the shorter."""
    size = max(len(one), len(other))
    one, other = one + [0.0] * (size - len(one)), other + [0.0] * (size - len(other))
    return math.fsum(abs(a - b) for a, b in zip(one, other, strict=True)) / size


class SlowSentry:
    """Everything ever seen in lists; each answer worked out from scratch."""

    def __init__(self):
        self.stored, self.coherences, self.bettis, self.novelties = [], ["local"], [], []

    def classify(self, eigenvalues, betti_numbers=None):
        sizes = sizes_of(eigenvalues)
        recent = self.stored[-10:]
        distance = min((padded_mean(sizes, stored) for stored in recent), default=math.inf)
        expansion = distance > EPS
        unseen = 0
        if expansion:
            unseen = sum(all(padded_mean([size], stored) > EPS for stored in recent) for size in sizes)
        top = sizes[0]
        coherence = "critical" if top > 0.04 else "global" if top > 0.01 else "local"
        gaps = [big - small for big, small in pairwise(sizes)]
        change = 0.0
        if betti_numbers:
            if self.bettis:
                last, new = list(self.bettis[-1]), list(betti_numbers)
                size = max(len(last), len(new))
                last, new = last + [0] * (size - len(last)), new + [0] * (size - len(new))
                change = sum(abs(a - b) for a, b in zip(last, new, strict=True))
            self.bettis.append(betti_numbers)
        total = math.fsum(sizes)
        shares = [size / total for size in sizes if size > 0] if total else []
        found = {
            "dim_expansion": expansion,
            "unseen_modes": unseen,
            "gap_birth": any(gap > 0.02 for gap in gaps),
            "gaps": gaps,
            "coherence": coherence,
            "coherence_transition": coherence != self.coherences[-1],
            "novelty_score": 0.7 * min(distance / EPS, 1) + 0.3 * min(change, 1),
            "spectral_entropy": -math.fsum(share * math.log(share) for share in shares),
            "lambda_max": top,
        }
        self.coherences.append(coherence)
        self.novelties.append(found["novelty_score"])
        self.stored.append(sizes)
        return found


# ---- CurvatureAwareGuard ---------------------------------------------------------------------------------------------


def slopes(values):
    """numpy.gradient of a list: central differences, one-sided at the ends."""
    last = len(values) - 1
    return [
        values[1] - values[0]
        if i == 0
        else values[last] - values[last - 1]
        if i == last
        else (values[i + 1] - values[i - 1]) / 2
        for i in range(len(values))
    ]


def transposed(rows):
    return [list(column) for column in zip(*rows, strict=True)]


def derivatives(rows):
    """f_x along a row, f_y along a column, and the gradients of these."""

    def across(field):
        return [slopes(row) for row in field]

    def down(field):
        return transposed(across(transposed(field)))

    f_x, f_y = across(rows), down(rows)
    return f_x, f_y, across(f_x), down(f_x), down(f_y)


def as_rows(state):
    """A list of rows for a field, a flat list for a curve."""
    if state and isinstance(state[0], list):
        return [[abs(value) if isinstance(value, complex) else value for value in row] for row in state], True
    values = [abs(value) if isinstance(value, complex) else value for value in state]
    side = math.isqrt(len(values))
    if side * side != len(values):
        return values, False
    return [values[i * side : (i + 1) * side] for i in range(side)], True


def curvature(state):
    """Mean |H| and mean K of a field, mean kappa and 0 of a curve."""
    graph, is_field = as_rows(state)
    if not is_field:
        if len(graph) < 2:
            return 0.0, 0.0
        first = slopes(graph)
        bent = [abs(second) / (1 + slope**2) ** 1.5 for slope, second in zip(first, slopes(first), strict=True)]
        return math.fsum(bent) / len(bent), 0.0
    if len(graph) < 2 or len(graph[0]) < 2:
        return 0.0, 0.0
    h, k = [], []
    for i, row in enumerate(zip(*derivatives(graph), strict=True)):
        for fx, fy, fxx, fxy, fyy in zip(*row, strict=True):
            w = 1 + fx**2 + fy**2
            h.append(abs(fxx * (1 + fy**2) - 2 * fx * fy * fxy + fyy * (1 + fx**2)) / w**1.5)
            k.append((fxx * fyy - fxy**2) / w**2)
        assert i < len(graph)
    return math.fsum(h) / len(h), math.fsum(k) / len(k)


def check(eigenvalues, state):
    bent, _ = curvature(state)
    top = max(complex(value).real for value in eigenvalues)
    threshold = max(0.5, min(2.0, 1.0 / (1 + 0.5 * bent)))
    if top > 2.0:
        action, factor = "emergency_damp", 0.5
    elif top > threshold:
        action, factor = "adaptive_damp", 0.1 * (1 + (top - threshold))
    else:
        action, factor = "none", 0.0
    return {
        "max_eigenvalue": top,
        "threshold": threshold,
        "curvature": bent,
        "action": action,
        "damping_factor": factor,
    }


def profile(state):
    """1 - tanh((|f_xx| + |f_yy|) / mean curvature) point by point, flat."""
    graph, is_field = as_rows(state)
    if not is_field:
        return [1.0] * len(graph)
    flat = [1.0] * (len(graph) * len(graph[0]))
    mean, _ = curvature(state)
    if mean == 0.0:
        return flat
    _, _, fxx, _, fyy = derivatives(graph)
    return [
        1 - math.tanh((abs(a) + abs(b)) / mean)
        for row_x, row_y in zip(fxx, fyy, strict=True)
        for a, b in zip(row_x, row_y, strict=True)
    ]


# ---- ChaosChannelController ------------------------------------------------------------------------------------------


class SlowLattice:
    """A lattice as rows of complex numbers; noise is handed in as rows."""

    def __init__(self, side):
        self.side = side
        self.psi = [[1 + 0j] * side for _ in range(side)]

    def each(self):
        return [(i, j) for i in range(self.side) for j in range(self.side)]

    def inject(self, noise, level):
        at = [-1 + 2 * i / (self.side - 1) for i in range(self.side)]
        for i, j in self.each():
            self.psi[i][j] += noise[i][j] * level * 0.1 * math.exp(-(at[i] ** 2 + at[j] ** 2) / 0.5)

    def step(self, noise, level):
        old, n = self.psi, self.side
        new = [[0j] * n for _ in range(n)]
        for i, j in self.each():
            here = old[i][j]
            around = old[(i + 1) % n][j] + old[i - 1][j] + old[i][(j + 1) % n] + old[i][j - 1]
            flow = 0.5 * (around - 4 * here) - here * abs(here) ** 2
            new[i][j] = here + 0.01 * flow + noise[i][j] * level * 0.01
        self.psi = new

    def energy(self):
        return math.fsum(abs(self.psi[i][j]) ** 2 for i, j in self.each()) / self.side**2

    def relax(self):
        before = self.energy()
        after = 1 + 0.95 * (before - 1)
        for i, j in self.each():
            self.psi[i][j] *= math.sqrt(after / before)


def peaks(psi):
    n = len(psi)
    found = []
    for i in range(n):
        for j in range(n):
            near = [abs(psi[(i + a) % n][(j + b) % n]) for a in range(-2, 3) for b in range(-2, 3)]
            if abs(psi[i][j]) > 2 and abs(psi[i][j]) == max(near):
                found.append((i, j))
    return found


def charges(psi):
    """Winding around the plaquette (i, j), (i+1, j), (i+1, j+1), (i, j+1)."""
    n = len(psi)
    found = {}
    for i in range(n):
        for j in range(n):
            corners = [(i, j), ((i + 1) % n, j), ((i + 1) % n, (j + 1) % n), (i, (j + 1) % n)]
            phases = [cmath.phase(psi[a][b]) for a, b in corners]
            turn = 0.0
            for one, other in zip(phases, phases[1:] + phases[:1], strict=True):
                difference = other - one
                while difference > math.pi:
                    difference -= 2 * math.pi
                while difference <= -math.pi:
                    difference += 2 * math.pi
                turn += difference
            if charge := round(turn / (2 * math.pi)):
                found[i, j] = charge
    return found


# ---- BraidAggregator -------------------------------------------------------------------------------------------------


def summary(events, window, now):
    """What a window says of (time, lambda or None, betti or None) events."""
    inside = [event for event in events if now - event[0] <= window]
    lambdas = [value for _, value, _ in inside if value is not None]
    bettis = [list(betti) for _, _, betti in inside if betti is not None]
    size = max(map(len, bettis), default=0)
    columns = transposed([betti + [0.0] * (size - len(betti)) for betti in bettis])
    mean = math.fsum(lambdas) / len(lambdas) if lambdas else 0.0
    return {
        "event_count": len(inside),
        "lambda_max": max(lambdas) if lambdas else 0.0,
        "lambda_mean": mean,
        "lambda_std": math.sqrt(math.fsum((value - mean) ** 2 for value in lambdas) / len(lambdas)) if lambdas else 0.0,
        "lambda_last": lambdas[-10:],
        "betti_max": [max(column) for column in columns],
        "betti_mean": [math.fsum(column) / len(column) for column in columns],
    }


def pearson(one, other):
    """r, or None where it is left out."""
    size = min(len(one), len(other), 10)
    x, y = one[-size:], other[-size:]
    if size < 2 or len(set(x)) == 1 or len(set(y)) == 1:
        return None
    mx, my = math.fsum(x) / size, math.fsum(y) / size
    xy = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    xx, yy = math.fsum((a - mx) ** 2 for a in x), math.fsum((b - my) ** 2 for b in y)
    return xy / math.sqrt(xx * yy)
