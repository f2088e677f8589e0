"""The methods of `mil`: one pooling with one thing changed at a time, and kernel ridge, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from uhop_cli.nn.learning import StageOne
    from uhop_cli.nn.losses import Kind

WIDTH, HEADS = 64, 4
FEATURES = 44  # of prf: d ln d for the 16 features of a head, as the published code has it


@dataclass(frozen=True, kw_only=True)
class BagArm:
    """One method.

    Attributes:
        words: what it is, one line.
        against: the arm that its AUC is compared with; None: none.
        association, separation, kernel: of the net (`uhop_cli.nn.learning.NetSettings`).
        stage, loss: Stage I and its separation loss.
        ridge: no net, but kernel ridge on the mean or the maximum of the instances of a bag.
    """

    words: str
    against: str | None = "softmax"
    association: Literal["hopfield", "mean", "none"] = "hopfield"
    separation: str = "softmax"
    kernel: bool = False
    stage: StageOne = "none"
    loss: Kind = "average"
    ridge: Literal["mean", "max"] | None = None


SEPARATIONS = {
    "sparsemax": "sparsemax in place of softmax",
    "entmax:1.5": "entmax, alpha 1.5",
    "entmax:learned": "entmax, alpha learned, one a head",
    "top-k:3": "softmax over the three largest",
    "window:4": "softmax over the first five instances of a bag, as it stands",
    "random:0.5": "softmax over half of the instances, drawn",
    "linear": "the linear kernel of elu + 1",
    f"prf:{FEATURES}": "positive random features of the exponential kernel",
    "argmax": "one instance, whose choice has no gradient",
}
_MEAN = "the mean of the embedded instances and the same head: no association"
_PLUS = "softmax with Phi, and the loss of U-Hop+ in alternation"

BAG_ARMS = {
    "softmax": BagArm(words="HopfieldPooling of the embedded instances, dense", against=None),
    **{name: BagArm(words=words, separation=name) for name, words in SEPARATIONS.items()},
    "softmax+kernel": BagArm(words="softmax with Phi, no Stage I", kernel=True),
    "softmax+warm-up": BagArm(words="softmax with Phi and Stage I before the training", kernel=True, stage="warm-up"),
    "softmax+u-hop-plus": BagArm(words=_PLUS, kernel=True, stage="alternation", loss="temperature"),
    "mean-of-instances": BagArm(words=_MEAN, association="mean"),
    "ridge-mean": BagArm(words="kernel ridge (Gaussian) on the mean of a bag's instances", ridge="mean"),
    "ridge-max": BagArm(words="kernel ridge (Gaussian) on the maximum of a bag's instances", ridge="max"),
}
