"""What a net of the learning experiments is, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from uhop_cli.errors import SettingsError
from uhop_cli.nn.losses import SHARPNESS, Kind

StageOne = Literal["none", "warm-up", "alternation", "whitened"]


@dataclass(frozen=True, kw_only=True)
class NetSettings:
    """A net that pools a set of tokens by one association, and classifies what it gets.

    Attributes:
        features: of a token as it comes in.
        tokens: of a sample at most.
        classes: logits that come out; one of them is a yes or no.
        width: d, features of an embedded token and of what is pooled.
        heads: of the association.
        association: "hopfield"; "mean", the mean of the embedded tokens, or "none", the tokens as they come in, side by side, both
            followed by the same head or, for "none", by the logits alone.
        separation: of the association, one of `nn.separation.KINDS`.
        kernel: a `FeatureMap` before W_Q and W_K, the identity at the start.
        values: of the association (`Hopfield`).
        dropout: of its weights, while training.
        start: of its projections: "xavier", as `Hopfield` has it, or "torch", as `torch.nn.Linear`, weights and biases both uniform
            within 1/sqrt(n) for n inputs.

    Raises:
        SettingsError: a size that makes no sense.
    """

    features: int
    tokens: int
    classes: int
    width: int = 128
    heads: int = 4
    association: Literal["hopfield", "mean", "none"] = "hopfield"
    separation: str = "softmax"
    kernel: bool = False
    values: Literal["projection", "stored"] = "projection"
    dropout: float = 0.0
    start: Literal["xavier", "torch"] = "xavier"

    def __post_init__(self) -> None:
        if min(self.features, self.tokens, self.classes, self.width, self.heads) < 1:
            raise SettingsError("sizes of a net are at least 1")
        if self.width % self.heads:
            raise SettingsError(f"{self.width} features are not to be shared by {self.heads} heads", f"a multiple of {self.heads}")

    @property
    def parameters(self) -> int:
        """How many numbers are learned; a learned alpha, one a head, and random features are not counted."""
        if self.association == "none":
            return (self.tokens * self.features + 1) * self.classes
        d = self.width
        maps = {"mean": 0, "hopfield": 4 + self.kernel}[self.association]  # W_Q, W_K, W_V, W_O, Phi, each with a bias
        state = d if self.association == "hopfield" else 0
        return (self.features + 1) * d + maps * (d + 1) * d + state + 2 * d + (d + 1) * self.classes


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How such a net is trained.

    Attributes:
        epochs: over all training samples.
        batch: samples of a step.
        rate: of Adam; it falls to 0 along half a cosine, epoch by epoch.
        decay: weight decay, apart from the gradient (AdamW).
        stage: Stage I on Phi: `steps` steps before the training, one step before each of its steps (Algorithm 2), or the closed
            form before the training; none.
        loss: its separation loss.
        steps: of the warm-up.
        stage_rate: learning rate of Stage I.

    Raises:
        SettingsError: a value that makes no sense.
    """

    epochs: int = 15
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.0
    stage: StageOne = "none"
    loss: Kind = "average"
    steps: int = 300
    stage_rate: float = 0.1

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch, self.steps) < 1 or min(self.rate, self.stage_rate) <= 0 or self.decay < 0:
            raise SettingsError("epochs, batch, steps and rates of a training are positive")
        if self.loss not in SHARPNESS:
            raise SettingsError(f"unknown separation loss '{self.loss}'", "one of " + ", ".join(SHARPNESS))
