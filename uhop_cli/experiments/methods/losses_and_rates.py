"""Methods that single experiments compare: Stage I with either loss at several rates (U-Hop), and in few dimensions (U-Hop+)."""

from __future__ import annotations

from uhop_cli.experiments.methods.learners import PAPER, PAPER_10, PAPER_MAX, PAPER_MAX_10, Learner
from uhop_cli.experiments.methods.protocol import Retrieval
from uhop_cli.experiments.methods.registry import Method, register
from uhop_cli.experiments.methods.rules import Kernel

PAPER_100 = Learner("average", 100.0)
CODE_LOSS = Learner("temperature", "auto", feature_dim=200)
CODE_AVERAGE = Learner("average", "auto", feature_dim=200)


def _by_loss(name: str, description: str, learner: Learner) -> Method:
    return Method(name, description, "uhop", Retrieval(Kernel(learner)), (learner,), (learner,), ())


def _khm(name: str, description: str, kernel: Kernel) -> Method:
    return Method(name, description, "uhop", Retrieval(kernel), (kernel.learner,), (kernel.learner,), ())


register(
    _by_loss("uhop-average-1", "Algorithm 1, average loss, constant rate 1", PAPER),
    _by_loss("uhop-average-10", "Algorithm 1, average loss, constant rate 10", PAPER_10),
    _by_loss("uhop-average-100", "Algorithm 1, average loss, constant rate 100", PAPER_100),
    _by_loss("uhop-max-1", "Algorithm 1, max loss, constant rate 1", PAPER_MAX),
    _by_loss("uhop-max-10", "Algorithm 1, max loss, constant rate 10", PAPER_MAX_10),
    _khm(
        "khm-untrained",
        "U-Hop+ kernel as drawn, scaled to the patterns' mean norm",
        Kernel(Learner(rate=None, feature_dim=200), "matched"),
    ),
    _khm("khm-raw", "U-Hop+ kernel, temperature loss, as learned", Kernel(CODE_LOSS, "raw")),
    _khm("khm-matched", "the same, scaled to the patterns' mean norm", Kernel(CODE_LOSS, "matched")),
    _khm("khm-unit", "the same, unit features", Kernel(CODE_LOSS, "unit")),
    _khm("khm-average", "average loss, unit features", Kernel(CODE_AVERAGE, "unit")),
)
