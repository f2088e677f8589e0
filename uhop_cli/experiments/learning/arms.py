"""The methods of `classify` and `expressiveness`: one net with one thing changed at a time, as data.

Arms of the same seed have the same training pictures, batches and, as far as their layers are the same, initial weights. `plain`
differs from `kernel` in Phi alone, and the arms with Stage I from `kernel` in Stage I alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from uhop_cli.nn.learning import StageOne
    from uhop_cli.nn.losses import Kind

PUBLISHED_WIDTH = 512
SPARSE = "sparsemax"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One method.

    Attributes:
        words: what it is, one line.
        against: the arm that its accuracy is compared with; None: none.
        association, separation, kernel, values, heads, dropout, start: of the net (`uhop_cli.nn.learning.NetSettings`).
        stage, loss: Stage I and its separation loss.
        one_token: the patch is the whole picture.
        width: d; None: as the run has it.
        as_large_as: an arm; d is then the least with which this one has at least as many parameters.
        in_expressiveness: whether `expressiveness` has it without being asked.
    """

    words: str
    against: str | None = "kernel"
    association: Literal["hopfield", "mean", "none"] = "hopfield"
    separation: str = "softmax"
    kernel: bool = False
    values: Literal["projection", "stored"] = "projection"
    heads: int = 4
    dropout: float = 0.0
    start: Literal["xavier", "torch"] = "xavier"
    stage: StageOne = "none"
    loss: Kind = "average"
    one_token: bool = False
    width: int | None = None
    as_large_as: str | None = None
    in_expressiveness: bool = False


_DENSE = {
    "plain": Arm(words="Hopfield pooling of the patches, no kernel", in_expressiveness=True),
    "kernel": Arm(words="the same with Phi before W_Q and W_K, no Stage I", against=None, kernel=True, in_expressiveness=True),
    "warm-up": Arm(
        words="Phi with Stage I before the training, average loss (2.6)", kernel=True, stage="warm-up", in_expressiveness=True
    ),
    "alternation-average": Arm(words="Algorithm 2 with the average loss (2.6)", kernel=True, stage="alternation"),
    "alternation": Arm(
        words="Algorithm 2 with the loss for layers (3.2)",
        kernel=True,
        stage="alternation",
        loss="orthogonal",
        in_expressiveness=True,
    ),
    "whitened": Arm(words="Phi started in closed form, as a whitening of the tokens", kernel=True, stage="whitened"),
}


def _sparse(arm: Arm) -> Arm:
    against = None if arm.against is None else f"{arm.against}-{SPARSE}"
    return replace(arm, words=f"{arm.words}; sparsemax", against=against, separation=SPARSE, in_expressiveness=False)


_PUBLISHED = {
    "published:one-token": Arm(
        words="the published layer: one patch, so one memory and weight 1; V = W_V W_K Y; dropout of the weight; d = 512",
        against=None,
        values="stored",
        heads=1,
        dropout=0.1,
        start="torch",
        one_token=True,
        width=PUBLISHED_WIDTH,
        in_expressiveness=True,
    ),
    "published:value-path": Arm(
        words="the same with V = W_V Y, as the published U-Hop arm had it; no Phi, no Stage I",
        against="published:one-token",
        heads=1,
        dropout=0.1,
        start="torch",
        one_token=True,
        width=PUBLISHED_WIDTH,
        in_expressiveness=True,
    ),
}
_CONTROLS = {
    "plain-wide": Arm(
        words="plain, wide enough to have as many parameters as kernel", as_large_as="kernel", in_expressiveness=True
    ),
    "mean-of-patches": Arm(words="the mean of the embedded patches and the same head: no association", association="mean"),
    "logistic-regression": Arm(words="logits linear in the pixels", association="none"),
}

ARMS = _DENSE | {f"{name}-{SPARSE}": _sparse(arm) for name, arm in _DENSE.items()} | _PUBLISHED | _CONTROLS
