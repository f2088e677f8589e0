"""Which stored windows a query may see. The window that begins at row s spans, with its future, rows s .. s + L + H - 1.

    past     s + L + H <= q + L       the stored future ended before the query's window did: all of it was known at the forecast
    apart    |s - q| >= L + H         the two spans share no row: for settings tuned on the stored rows themselves

A pair that is not admissible has the logit -infinity, hence weight exactly 0.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from uhop_cli.arrays.types import Bool, Int64
from uhop_cli.errors import SettingsError

Rule = Literal["past", "apart"]


def admissible(stored: Int64, queries: Int64, look_back: int, horizon: int, rule: Rule = "past") -> Bool:
    """Whether query i may see stored window j: bool (Q, M).

    Args:
        stored: first rows of the stored windows, (M,).
        queries: first rows of the queries' windows, (Q,), on the same count of rows.
        look_back, horizon: L and H.
        rule: 'past' or 'apart'.

    Raises:
        SettingsError: there is no such rule.
    """
    ahead = queries[:, None] - stored[None, :]
    if rule == "past":
        ended: Bool = ahead >= horizon
        return ended
    if rule == "apart":
        distant: Bool = np.abs(ahead) >= look_back + horizon
        return distant
    raise SettingsError(f"there is no rule '{rule}'", "past or apart")
