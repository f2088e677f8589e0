"""Shortlists for large memories: one thin product of a query's code with those of all memories (`codes`).

A memory is put on the shortlist if it is among the first by one of three scores, with c_b = <u_b(x), u_b(xi)>:

    quarters   prod_b (1 - max(c_b, 0)^2), small: each quarter has its own gain and noise, so that a covered one costs its share;
    whole      sum_b l_b(x) l_b(xi) c_b, large: noise that is the same everywhere is averaged over the whole picture;
    spectrum   the cosine of all that the file keeps of the spectrum (`evidence.bands`), large: where white noise drowns nearly all,
               every coefficient counts. Of more than `READ` memories, of which one query would read too much, the cosine of the
               plain directions s_i z_i, s_i = (v_i + rho)^(1/2), which is nearly as good.

Of a query of which a heap of equal values hides a part, the third is by the code of what is visible of it (`heaps`), as a whole.
That names the right one of a million where one value in ten is left, and where a cover lies in every quarter.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from uhop_cli.arrays.operations import inverse, largest
from uhop_cli.arrays.scratch import Scratch
from uhop_cli.arrays.threads import chunks, cores, on_all_cores
from uhop_cli.arrays.types import Bool, Float32, Int64
from uhop_cli.evidence.shortlist.codes import Coder
from uhop_cli.evidence.shortlist.comparison import Comparison
from uhop_cli.evidence.shortlist.heaps import VisibleCoder, visible
from uhop_cli.evidence.shortlist.spectra import KeptSpectra

SHORTLIST = (640, 3072)  # memories that are examined: fewest and most
SHARE = 80  # one of so many memories is examined, within these bounds
READ = 1 << 18  # memories of which one query reads the spectrum
TOGETHER = (16, 128)  # queries in one pass over the codes, fewest and most
PAIRS = 1 << 23  # of query and memory that are scored together, so far as `TOGETHER` allows
CHUNK_VALUES = 1 << 16  # cosines at a time: they stay in the cache
CHUNK = (512, 8192)  # memories at a time, fewest and most


class Shortlists(NamedTuple):
    """What is worth examining for each of Q queries.

    Attributes:
        rows: of the memories, (Q, S), sorted.
        named: the one of them that comes first by what is visible, (Q, 1); -1 where there is no heap.
    """

    rows: Int64
    named: Int64

    @property
    def places(self) -> Int64:
        """Where the named ones are in the rows, (Q, 1); -1 where they are not."""
        found = self.rows[:, None] == self.named[:, :, None]
        return np.where(found.any(axis=2), found.argmax(axis=2), -1)


class Scores(NamedTuple):
    """The three scores of all memories, larger = closer: (Q, M) each; the last is by the spectrum, or by what is visible."""

    quarters: Float32
    whole: Float32
    last: Float32


class CodeIndex:
    """The codes of M memories, on the CPU. (A GPU reads all memories in the time that a shortlist takes.)

    Args:
        codes: (B k + B, M), one memory a column: so the products with one query run at the speed of memory.
        coder: that made them.
        spectrum: what is kept of the spectrum of all memories; it is used of at most `READ`.
    """

    def __init__(self, codes: Float32, coder: Coder, spectrum: KeptSpectra | None = None) -> None:
        self.codes, self.coder = codes, coder
        self.count = int(codes.shape[1])
        self.spectrum = spectrum if self.count <= READ else None
        self._kept = Scratch()  # of scores: new memory for each pass takes as long as the comparison
        self._inverses = np.full(self.count, np.nan, np.float32)  # 1 / length in the plain directions, once it is known

    def __call__(self, queries: Float32, size: int | None = None) -> Int64:
        """The rows of the memories that are worth examining for each of the queries (Q, d): (Q, size), sorted, at most M."""
        return self.find(queries, size).rows

    def find(self, queries: Float32, size: int | None = None) -> Shortlists:
        """Those rows, and which of them are named."""
        size = min(size or shortlist_size(self.count), self.count)
        together = int(np.clip(PAIRS // self.count, *TOGETHER))
        seen = np.empty(queries.shape, np.bool_)
        for part in chunks(len(queries), TOGETHER[1]):
            seen[part] = visible(queries[part])
        hidden = ~seen.all(axis=1)
        rows, named = np.empty((len(queries), size), np.int64), np.full((len(queries), 1), -1)
        for partly in (False, True):  # apart, as only one of the two reads spectra
            which = np.flatnonzero(hidden == partly)
            for part in chunks(len(which), together):
                own = which[part]
                found = self.scores(queries[own], seen[own] if partly else None, self._kept)
                rows[own] = _best_of_each(found, size)
                if partly:
                    named[own, 0] = found.last.argmax(axis=1)
        return Shortlists(rows, named)

    @cached_property
    def _of_visible(self) -> VisibleCoder:
        return VisibleCoder(self.coder)

    def scores(self, queries: Float32, seen: Bool | None = None, into: Scratch | None = None) -> Scores:
        """The scores of all memories for queries (Q, d), in one pass over the codes.

        Args:
            queries: of which all have something hidden, or none.
            seen: which values are visible, (Q, d); None: all.
            into: where the scores lie until the next call; None: they stay.
        """
        count, (unit, shares) = len(queries), self.coder.split(queries)
        blocks, size = unit.shape[1:]
        probes, gains = unit.swapaxes(0, 1), shares.T[:, :, None]  # (B, Q, k), (B, Q, 1)
        weighed = probes * gains
        powers, of_spectrum = self.coder.powers[:, None], None  # (B, 1, k)
        if seen is not None:
            unit, shares = self._of_visible.split(queries, seen)
            asked = np.concatenate([weighed, (unit * shares[:, :, None]).swapaxes(0, 1)], axis=1)
        elif self.spectrum is None:
            asked = np.concatenate([weighed, weighed * powers], axis=1)  # the same in the plain directions
        else:
            asked, of_spectrum = weighed, self.spectrum.cosines(queries)
        quarters, whole, last = (into or Scratch()).empty("scores", (3, count, self.count), self.codes)
        comparison, scratch = Comparison(probes, gains, asked), Scratch()

        def work(memories: slice) -> None:
            codes = self.codes[:, memories]
            vectors, lengths = codes[: blocks * size].reshape(blocks, size, -1), codes[blocks * size :]
            product, total = comparison(vectors, lengths, scratch)
            quarters[:, memories], whole[:, memories] = product, total[:count]
            if of_spectrum is not None:
                of_spectrum(memories, last[:, memories])
            elif seen is not None:
                last[:, memories] = total[count:]
            else:
                np.multiply(total[count:], self._inverse_lengths(memories, powers), out=last[:, memories])

        on_all_cores(work, self.count, int(np.clip(CHUNK_VALUES // count, *CHUNK)))
        return Scores(quarters, whole, last)

    def among(self, queries: Float32, rows: Int64) -> Float32:
        """The score "whole" of some of the memories, (n,), for queries (Q, d): (Q, n)."""
        unit, shares = self.coder.split(queries)
        blocks, size = unit.shape[1:]
        codes = np.empty((len(self.codes), len(rows)), np.float32)

        def gather(lines: slice) -> None:
            np.take(self.codes[lines], rows, axis=1, out=codes[lines], mode="clip")  # the other modes take another copy

        on_all_cores(gather, len(codes), -(-len(codes) // cores()))
        stored = codes[: blocks * size].reshape(blocks, size, -1) * codes[blocks * size :, None]
        found: Float32 = (unit * shares[:, :, None]).reshape(len(queries), -1) @ stored.reshape(blocks * size, -1)
        return found

    def _inverse_lengths(self, memories: slice, powers: Float32) -> Float32:
        """1 / |s z| of some of the memories, (m,): found once, as one query after the other asks for them."""
        known = self._inverses[memories]
        if np.isnan(known).any():
            codes, (blocks, _, size) = self.codes[:, memories], powers.shape
            vectors, shares = codes[: blocks * size].reshape(blocks, size, -1), codes[blocks * size :]
            squares = np.matmul(powers, vectors * vectors)[:, 0] * shares * shares  # quarter by quarter
            known[:] = inverse(np.sqrt(np.sum(squares, axis=0)))
        return known


def _best_of_each(found: Scores, size: int) -> Int64:
    """The shortlists of Q queries, (Q, size)."""
    rows = np.empty((len(found.last), size), np.int64)

    def choose(part: slice) -> None:
        for place in range(part.start, part.stop):
            rows[place] = united([scores[place] for scores in found], size)

    on_all_cores(choose, len(rows), 1)
    return rows


def shortlist_size(memories: int) -> int:
    """How many of so many memories are examined."""
    return int(np.clip(memories // SHARE, *SHORTLIST))


def united(scores: Sequence[Float32], size: int) -> Int64:
    """Of scores (M,), the best by each, `size` places in all, sorted: as many by the last as by two others, and more where several
    have some in common."""
    *others, last = scores
    listed = np.zeros(len(last), np.bool_)
    each = size // (len(scores) + 1)
    for values in others if each else ():
        listed[largest(values, each)] = True
    listed[largest(np.where(listed, -np.inf, last), size - int(listed.sum()))] = True
    return np.flatnonzero(listed)
