"""A multivariate time series, the parts it is split into, and its scale.

Rows are moments, columns are series: values (T, C). A split takes training, validation and test rows from the beginning, in this
order, so that nothing later than a row is ever used to forecast it; the scale is the mean and the standard deviation of the
training rows alone. Splits of the published sets: 12/4/4 months of ETT, 28/10/10 months of WTH, with months of 30 days (Zhou et
al. 2021, arXiv 2012.07436); every other series .7/.1/.2.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from uhop_cli.arrays.types import Float64
from uhop_cli.errors import SettingsError

MONTH = 30 * 24  # hours
SHARES = (0.7, 0.1)  # of training and validation rows where nothing is published
SPLITS = {
    "etth1": (12 * MONTH, 4 * MONTH, 4 * MONTH),
    "ettm1": (48 * MONTH, 16 * MONTH, 16 * MONTH),
    "wth": (28 * MONTH, 10 * MONTH, 10 * MONTH),
}


@dataclass(frozen=True)
class Series:
    """A multivariate series.

    Attributes:
        name: of the data set, or of the file.
        columns: names of the C series.
        values: (T, C) float64, finite.
        season: rows after which the series is expected to repeat: a day of hourly values is 24. 1: no season.
        warnings: what a reader of results ought to know.
    """

    name: str
    columns: tuple[str, ...]
    values: Float64
    season: int = 1
    warnings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """sha256 of shape and values."""
        digest = hashlib.sha256(str(self.values.shape).encode())
        digest.update(np.ascontiguousarray(self.values).data)
        return digest.hexdigest()

    def scaled(self, split: Split) -> Series:
        """The series in units of its training rows: mean 0 and standard deviation 1 there."""
        return replace(self, values=Scale.of(self.values[: split.train]).apply(self.values))


@dataclass(frozen=True)
class Split:
    """How many rows, from the beginning, are for training, validation and test.

    Raises:
        SettingsError: one of the parts is empty.
    """

    train: int
    validation: int
    test: int

    def __post_init__(self) -> None:
        if min(self.train, self.validation, self.test) < 1:
            raise SettingsError("the series is too short to be split into training, validation and test rows")

    @classmethod
    def of(cls, series: Series) -> Split:
        """The published split where the data set has one and the rows for it, else .7/.1/.2."""
        rows = len(series.values)
        published = SPLITS.get(series.name)
        if published is not None and sum(published) <= rows:
            return cls(*published)
        train, validation = (int(share * rows) for share in SHARES)
        return cls(train, validation, rows - train - validation)

    def rows(self, part: str, look_back: int) -> range:
        """The rows whose windows belong to a part: 'train', 'validation' or 'test'.

        Validation and test rows begin `look_back` earlier, so that the first value of the part is forecast too.
        """
        first = self.train
        match part:
            case "train":
                return range(self.train)
            case "validation":
                return range(first - look_back, first + self.validation)
            case "test":
                first += self.validation
                return range(first - look_back, first + self.test)
        raise SettingsError(f"there is no part '{part}'", "train, validation or test")


@dataclass(frozen=True)
class Scale:
    """x -> (x - mean) / deviation, column by column; mean and deviation have shape (C,)."""

    mean: Float64
    deviation: Float64

    @classmethod
    def of(cls, values: Float64) -> Scale:
        """Mean and population standard deviation of `values` (T, C); the deviation of a constant column counts as 1."""
        deviation = values.std(axis=0)
        return cls(values.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def apply(self, values: Float64) -> Float64:
        """Into units of the deviation."""
        return (values - self.mean) / self.deviation
