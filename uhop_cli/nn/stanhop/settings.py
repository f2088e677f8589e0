"""Sizes of STanHop-Net, and what its published code does otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from uhop_cli.errors import SettingsError

# What the published code (MAGICS-LAB/STanHop, code_models/) does, read there, where it changes what is computed. That W_K is
# multiplied twice, that alpha is found by 50 bisections and that each layer has a second alpha which nothing uses changes nothing,
# and learned memories that are never initialised (`torch.empty`) are no definition: those start as ours.
QUIRKS = {
    "series": "no pooling: series look up learned memories, and the result replaces what came in instead of being added to it",
    "heads": "heads and places are interchanged before the output projection ('mix')",
    "places": "learned places start with standard deviation 1 instead of .02",
    "padding": "an incomplete group of patches is filled with the last patches instead of the last one repeated",
    "alpha": "one alpha a layer, from N(0, 1) through 1 + sigmoid, instead of one a head from 1.5 on",
}


@dataclass(frozen=True, kw_only=True)
class NetSettings:
    """Sizes of a net for windows of a look-back L and futures of a horizon H of C series.

    Attributes:
        look_back, horizon, series: L, H, C.
        width: d, features of a token.
        heads: of every association.
        hidden: features inside the two-layer perceptrons.
        patch: values of one series that make a token.
        merge: neighbouring tokens that are merged from one scale to the next.
        scales: blocks of the encoder; the decoder has one layer more.
        patterns: learned states into which the C series of a moment are pooled.
        dropout: of weights and of what is added to a token.
        kernel: a `FeatureMap` before W_Q and W_K of every association, the identity at the start.
        standardise: mean and deviation of each series of a window are taken out, and put back into the forecast.
        published: names of `QUIRKS`.

    Raises:
        SettingsError: a size that makes no sense, or an unknown quirk.
    """

    look_back: int
    horizon: int
    series: int
    width: int = 64
    heads: int = 4
    hidden: int = 128
    patch: int = 12
    merge: int = 2
    scales: int = 1
    patterns: int = 4
    dropout: float = 0.1
    kernel: bool = False
    standardise: bool = False
    published: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sizes = (self.look_back, self.horizon, self.series, self.width, self.heads, self.hidden, self.patch, self.scales)
        if min(*sizes, self.patterns) < 1 or self.merge < 2:
            raise SettingsError("sizes of a net are at least 1, and at least two tokens are merged")
        if self.width % self.heads:
            raise SettingsError(f"{self.width} features are not to be shared by {self.heads} heads", "a multiple of the heads")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"dropout is a share in [0, 1), not {self.dropout}")
        for name in self.published:
            if name not in QUIRKS:
                raise SettingsError(f"the published code has no quirk '{name}'", "one of " + ", ".join(QUIRKS))

    def tokens(self, length: int) -> int:
        """Tokens of that many values of a series."""
        return -(-length // self.patch)
