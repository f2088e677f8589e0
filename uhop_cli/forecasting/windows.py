"""Windows of a series and what followed them, cut without copying a value.

The window that begins at row s is rows s .. s+L-1 (look-back L), its future rows s+L .. s+L+H-1 (horizon H). All windows of a part
are used, the last ones too: leaving out an incomplete last batch, as many published evaluations do, leaves out the hardest ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from uhop_cli.arrays.types import Float64, Int64
from uhop_cli.errors import SettingsError


@dataclass(frozen=True)
class Windows:
    """N windows with their futures.

    Attributes:
        past: (N, L, C).
        future: (N, H, C).
        starts: (N,) row of the series at which each window begins.

    Raises:
        SettingsError: the three do not fit each other.
    """

    past: Float64
    future: Float64
    starts: Int64

    def __post_init__(self) -> None:
        shapes = self.past.shape, self.future.shape, self.starts.shape
        if self.past.ndim != 3 or self.future.ndim != 3 or self.past.shape[::2] != self.future.shape[::2]:
            raise SettingsError(f"windows {shapes[0]} and futures {shapes[1]} must be (N, L, C) and (N, H, C)")
        if shapes[2] != (len(self.past),):
            raise SettingsError(f"{len(self.past)} windows need as many starts, not {shapes[2]}")

    def __len__(self) -> int:
        return len(self.past)

    @property
    def look_back(self) -> int:
        """L."""
        return int(self.past.shape[1])

    @property
    def horizon(self) -> int:
        """H."""
        return int(self.future.shape[1])

    def sample(self, count: int, seed: int = 0) -> Windows:
        """At most `count` of the windows, drawn without replacement, in their order.

        Not every n-th: a step that divides the season would ask some phases of the day only.
        """
        if len(self) <= count:
            return self
        kept = np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False))
        return Windows(self.past[kept], self.future[kept], self.starts[kept])


def cut(values: Float64, look_back: int, horizon: int, rows: range | None = None) -> Windows:
    """All windows of length `look_back` whose window and future lie in `rows` of `values` (T, C), as views.

    Raises:
        SettingsError: a length below 1, or fewer rows than one window with its future takes.
    """
    rows = range(len(values)) if rows is None else rows
    if look_back < 1 or horizon < 1:
        raise SettingsError("look-back and horizon are at least 1")
    if rows.start < 0 or rows.stop > len(values) or len(rows) < look_back + horizon:
        raise SettingsError(
            f"{len(rows)} rows are too few for windows of {look_back} and futures of {horizon}",
            "a shorter look-back or horizon, or a longer series",
        )
    spans = sliding_window_view(values[rows.start : rows.stop], look_back + horizon, axis=0).swapaxes(1, 2)
    starts = np.arange(rows.start, rows.start + len(spans), dtype=np.int64)
    return Windows(spans[:, :look_back], spans[:, look_back:], starts)
