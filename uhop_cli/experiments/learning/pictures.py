"""Pictures as sets of patches, and which of them train, are held out and test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from uhop_cli.arrays.types import Float32, Int64, UInt8
from uhop_cli.errors import SettingsError
from uhop_cli.experiments.data.labelled import LabelledSet

if TYPE_CHECKING:
    from uhop_cli.nn.learning import Samples

PATCH = 8  # pixels a side
HELD_OUT = 5000  # training pictures that a learning rate is chosen on
CHOICE_SIZE = 5000  # training pictures that it is chosen with


def patches(pixels: UInt8, side: int) -> UInt8:
    """Tokens (N, T, P), T = H W / side^2, P = side^2 C, of pictures (N, H, W, C): patches that don't overlap, row by row.

    Raises:
        SettingsError: the patches don't fit the pictures.
    """
    count, height, width, channels = pixels.shape
    if height % side or width % side:
        raise SettingsError(f"pictures of {width} x {height} are not to be cut into patches of {side} x {side}")
    cut = pixels.reshape(count, height // side, side, width // side, side, channels)
    return np.ascontiguousarray(cut.transpose(0, 1, 3, 2, 4, 5).reshape(count, -1, side * side * channels))


@dataclass(frozen=True, eq=False)
class Pictures:
    """A labelled set on its way into nets.

    Attributes:
        data: the pictures.
        device: of the tokens, as torch calls it.
    """

    data: LabelledSet
    device: str

    def subset(self, size: int, seed: int) -> Int64:
        """Training pictures of a seed, rows: drawn without replacement, the smaller set within the larger.

        Raises:
            SettingsError: there are not so many.
        """
        if size > len(self.data.train):
            few = f"{self.data.name} has {len(self.data.train)} training pictures, not {size}"
            raise SettingsError(few, "a smaller --train-size, or --sizes")
        return self._order(seed)[:size]

    def choice(self, seed: int) -> tuple[Int64, Int64]:
        """Training pictures that settings are chosen with and on, rows, of a seed that no result has."""
        held_out = min(HELD_OUT, len(self.data.train) // 2)
        order = self._order(seed)
        return order[held_out : held_out + CHOICE_SIZE], order[:held_out]

    def train(self, rows: Int64, side: int) -> Samples:
        """These training pictures as tokens, patches of `side` pixels a side."""
        return self._samples(self.data.train.pixels[rows], self.data.train.labels[rows], side)

    def test(self, side: int) -> Samples:
        """All test pictures."""
        return self._samples(self.data.test.pixels, self.data.test.labels, side)

    def _order(self, seed: int) -> Int64:
        return np.random.default_rng([seed, 5]).permutation(len(self.data.train))

    def _samples(self, pixels: UInt8, labels: Int64, side: int) -> Samples:
        from uhop_cli.nn.learning import Samples

        shift, scale = (np.tile(values, side * side) for values in self._channels)
        return Samples.of(patches(pixels, side), labels, shift=shift, scale=scale, device=self.device)

    @cached_property
    def _channels(self) -> tuple[Float32, Float32]:
        """Mean and deviation of each channel over all training pictures, values from 0 to 1; training and test share them."""
        values = np.arange(256) / 255
        means, deviations = [], []
        for channel in range(self.data.train.pixels.shape[3]):
            shares = np.bincount(self.data.train.pixels[..., channel].ravel(), minlength=256) / self.data.train.pixels[..., 0].size
            means.append(shares @ values)
            deviations.append(np.sqrt(shares @ (values - means[-1]) ** 2) or 1.0)
        return np.array(means, np.float32), np.array(deviations, np.float32)
