"""Single linkage of a sample: which merges cross a gap, and the parts on either side.

The heights of its merges are the edges of a minimal spanning tree, those below a node the edges within that part.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.clouds import as_condensed, as_square, n_points_of, pairs_at

Matrix = NDArray[np.float64]
Places = NDArray[np.intp]

#: points that a part has at least, and their share of the sample
_LEAST_PART, _LEAST_SHARE = 10, 0.04
#: how many times as high as every merge that is left a merge across a gap is, by the number of places where its two
#: sides come near each other: a gap that is empty along its whole length is stronger evidence than one empty place
_GAPS = np.array([2.0, 1.8, 1.6, 1.45, 1.35, 1.3])
_LEAST_GAP = 1.3
#: most merges that are taken for gaps at once
_MOST_GAPS = 16
#: of a sample: more points that lie apart are no outliers
_LEAST_SEEN = 5
#: smaller groups are outliers, whose merges say nothing of the spacing
_LEAST_GROUP = 3
#: in heights of the merge: how far from the other side a point of contact lies at most, and how far apart two are
_NEAR, _APART = 1.3, 1.2


class SingleLinkage:
    """The tree of single-linkage merges of ``distances``, checked, square or condensed, of two points or more.

    Merges rise in height. The points of each lie side by side, those of its larger side first, in one order of all
    points. ``heights`` are those of all merges, or of all above 0, rising, where they are known: the deaths of H0.

    Sources
    -------
    Kruskal 1956, doi:10.1090/S0002-9939-1956-0078686-7.
    """

    def __init__(self, distances: Matrix, heights: Matrix | None = None) -> None:
        self.entries = as_condensed(distances)  #: the distances, condensed
        if heights is None:
            import scipy.spatial  # noqa: F401  # whole before its parts, or two threads wait for each other
            from scipy.cluster.hierarchy import linkage

            heights = linkage(self.entries, "single")[:, 2]
        self._given = distances
        self._n_points = n_points = n_points_of(distances)
        first, second, lengths = _pairs_this_far_apart(self.entries, n_points, heights)
        group = [[point] for point in range(n_points)]  # of each point the group that it is in
        kept, self._larger, smaller = [], [], []
        for pair, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
            large, small = group[a], group[b]
            if large is small:
                continue
            if len(large) < len(small):
                large, small = small, large
            kept.append(pair)
            self._larger.append((large[0], len(large)))
            smaller.append(len(small))
            large += small
            for point in small:
                group[point] = large
        if len(kept) < len(first):  # of pairs that are equally far apart some join what is joined
            first, second, lengths = first[kept], second[kept], lengths[kept]
        self._order = group[0]
        self.heights: Matrix = lengths  #: (n_points - 1,) rising
        self.ends = first, second  #: of each merge the edge of the spanning tree
        self.smaller_sides: Matrix = np.array(smaller, dtype=np.float64)  #: points on the smaller side of each merge

    @cached_property
    def distances(self) -> Matrix:
        """The distances as a square matrix."""
        return as_square(self._given)

    @classmethod
    def of_deaths(cls, distances: Matrix, deaths: Matrix) -> SingleLinkage | None:
        """The tree whose merges above 0 have these heights, None where those of the points have others."""
        zeros = n_points_of(distances) - 1 - len(deaths)
        tree = cls(distances, deaths) if zeros >= 0 else None
        if tree is None or len(tree.heights) != zeros + len(deaths) or tree.heights[:zeros].any():
            return None
        return tree if (tree.heights[zeros:] == deaths).all() else None

    def parts(self) -> list[Places]:
        """The points of each part of the sample, all of them where there is no gap.

        The k highest merges of two large sides cross a gap when each is so many times as high as every merge that is
        left; of several k the one with the clearest gap counts, and each part is looked at again. Groups too small for
        a part belong to none.
        """
        n_points = self._n_points
        least = self._least
        everything = np.arange(n_points)
        if not self._clearest_gaps(range(n_points - 1), least):
            return [everything]  # most samples: without the walk below
        starts, middles, stops = self._runs
        found, waiting = [], [(0, n_points)]
        while waiting:
            start, stop = waiting.pop()
            gaps = self._gaps(np.flatnonzero((starts >= start) & (stops <= stop)).tolist(), least)
            if gaps is None:
                found.append(np.sort(self._members(start, stop)))
                continue
            pieces = [(start, stop)]
            while pieces:
                start, stop = pieces.pop()
                if ((starts[gaps] >= start) & (stops[gaps] <= stop)).any():
                    middle = int(middles[(starts == start) & (stops == stop)][0])
                    pieces += [(start, middle), (middle, stop)]
                elif stop - start >= least:
                    waiting.append((start, stop))
        return sorted(found, key=len, reverse=True)

    def path(self, one: int, other: int) -> list[int]:
        """The points on the way from one point to another in the spanning tree."""
        above, depth = self._rooted
        start, end = [other], [one]
        while start[-1] != end[-1]:
            lower = start if depth[start[-1]] >= depth[end[-1]] else end
            lower.append(above[lower[-1]])
        return start + end[-2::-1]

    @cached_property
    def _rooted(self) -> tuple[list[int], list[int]]:
        """Of each point the next one on its way to the first point in the spanning tree, and how many there are."""
        above, depth, waiting = [0] * self._n_points, [0] * self._n_points, [0]
        for point in waiting:
            for following in self._neighbours[point]:
                if following != above[point]:
                    above[following], depth[following] = point, depth[point] + 1
                    waiting.append(following)
        return above, depth

    def beyond(self, walk: list[int], steps: list[float], most: float) -> list[int]:
        """The points that hang on the first points of a path of these steps, as far as within ``most`` along it."""
        neighbours, seen, found, gone = self._neighbours, set(walk), [], 0.0
        for point, step in zip(walk, steps, strict=False):
            hanging = [other for other in neighbours[point] if other not in seen]
            while hanging:
                here = hanging.pop()
                seen.add(here)
                found.append(here)
                hanging += [other for other in neighbours[here] if other not in seen]
            gone += step
            if gone > most:
                break
        return found

    @cached_property
    def _neighbours(self) -> list[list[int]]:
        """The points next to each in the spanning tree."""
        found: list[list[int]] = [[] for _ in range(self._n_points)]
        for one, other in zip(*(end.tolist() for end in self.ends), strict=True):
            found[one].append(other)
            found[other].append(one)
        return found

    def has_small_groups(self) -> bool:
        """Tell if a gap lies around points that are too few for a part and too many for outliers."""
        least = self._least
        gaps = self._clearest_gaps(range(len(self.heights)), _LEAST_SEEN)
        return any(ratio > _GAPS[0] and bool((self.smaller_sides[merges] < least).any()) for ratio, merges, _ in gaps)

    @property
    def _least(self) -> int:
        """Points that a part has at least."""
        return max(_LEAST_PART, int(_LEAST_SHARE * self._n_points))

    @cached_property
    def _runs(self) -> tuple[Places, Places, Places]:
        """Of each merge where its points begin in the order of all, where its smaller side does, and where they end."""
        place = np.empty(self._n_points, dtype=np.intp)
        place[self._order] = np.arange(self._n_points)
        heads, sizes = np.array(self._larger, dtype=np.intp).reshape(-1, 2).T
        starts = place[heads]
        return starts, starts + sizes, starts + sizes + self.smaller_sides.astype(np.intp)

    def _members(self, start: int, stop: int) -> Places:
        return np.array(self._order[start:stop], dtype=np.intp)

    def _clearest_gaps(self, merges: Sequence[int], least: int) -> list[tuple[float, list[int], float]]:
        """How high the lowest of the merges stands over all that are left, the merges, and the highest that is left:
        of each number of highest merges that may cross a gap, the clearest first.
        """
        among = np.asarray(merges, dtype=np.intp)
        sides = self.smaller_sides[among]
        large = among[sides >= least][: -_MOST_GAPS - 2 : -1]  # highest first, one more for what is left
        small = among[(sides >= _LEAST_GROUP) & (sides < least)]
        other = float(self.heights[small[-1]]) if len(small) else 0.0
        heights, rated = [*self.heights[large].tolist(), 0.0], []
        for k, height in enumerate(heights[: min(len(large), _MOST_GAPS)]):
            left = max(heights[k + 1], other)
            if left > 0.0 and height > _LEAST_GAP * left:
                rated.append((height / left, large[: k + 1].tolist(), left))
        return sorted(rated, key=lambda one: -one[0])

    def _gaps(self, merges: Sequence[int], least: int) -> Places | None:
        """The merges that cross a gap, None when there is none."""
        starts, middles, stops = self._runs
        contacts: dict[int, int] = {}
        for _, crossing, left in self._clearest_gaps(merges, least):
            for merge in crossing:
                if merge not in contacts:
                    one = self._members(starts[merge], middles[merge])
                    other = self._members(middles[merge], stops[merge])
                    contacts[merge] = self._contacts(one, other, float(self.heights[merge]))
            needed = _GAPS[[min(max(contacts[merge], 1), len(_GAPS)) - 1 for merge in crossing]]
            if (self.heights[crossing] > needed * left).all():
                return np.array(crossing)
        return None

    def _contacts(self, one: Places, other: Places, height: float) -> int:
        """Number of places where two groups of points come near each other, on the side that has fewer."""
        across = self.distances[np.ix_(one, other)]
        return min(
            self._places(one, across.min(axis=1), height),
            self._places(other, across.min(axis=0), height),
        )

    def _places(self, group: Places, nearest: Matrix, height: float) -> int:
        """Points of a group near the other side, the nearest first, without those close to an earlier one."""
        near = np.flatnonzero(nearest <= _NEAR * height)
        near = group[near[np.argsort(nearest[near], kind="stable")]]
        places = 0
        while len(near):
            near = near[self.distances[near[0], near] > _APART * height]
            places += 1
        return places


def _pairs_this_far_apart(entries: Matrix, n_points: int, heights: Matrix) -> tuple[Places, Places, Matrix]:
    """Both points and the distance of each pair whose distance is 0 or one of the rising ``heights``, nearest first."""
    known = np.concatenate([np.zeros(1), heights])
    places = np.flatnonzero(entries <= known[-1])
    lengths = entries[places]
    wanted = np.flatnonzero(known[known.searchsorted(lengths)] == lengths)
    wanted = wanted[lengths[wanted].argsort(kind="stable")]
    return *pairs_at(places[wanted], n_points), lengths[wanted]


def smaller_sides(distances: Matrix, n_deaths: int) -> Matrix:
    """Number of points on the smaller side of each of the last ``n_deaths`` single-linkage merges, by rising height.

    ``distances`` are checked. Merges at height 0 come first and are the ones left out.
    """
    n_points = n_points_of(distances)
    return SingleLinkage(distances).smaller_sides[n_points - 1 - n_deaths :] if n_points > 1 else np.zeros(0)
