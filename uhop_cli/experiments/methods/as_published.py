"""`published:*` and `only:*`: the quirks of the published U-Hop code, so that a reader can see which of them gave which number.

The first ones are that code as a whole; the quirks `only:*` are the paper's protocol with a single one of them. What a variant
does is its description; docs/reproduction.md has the measurements. All work at beta 1, where the published code was run, whatever
the protocol.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from uhop_cli.experiments.methods.learners import PAPER, PAPER_MAX_10, Learner
from uhop_cli.experiments.methods.protocol import PAPER_BETA, Prediction, Tuner, separate
from uhop_cli.experiments.methods.registry import Method, register
from uhop_cli.experiments.methods.rules import BySimilarity, Kernel, Rule
from uhop_cli.experiments.methods.task import Task
from uhop_cli.retrieval.entmax import softmax

CODE = Learner("average", 1.0, schedule="published", half=True)
CODE_MAX = Learner("max", 10.0, half=True)
DECAYED = Learner("average", 1.0, schedule="published")
HALF = Learner("average", 1.0, half=True)
TOP_SHARE = 0.2
KEEP = 0.5


def _retrieve(rule: Rule, separation: str = "softmax", published_query: bool = True) -> Callable[[Task, Tuner], Prediction]:
    def answer(task: Task, tuner: Tuner) -> Prediction:
        asked = task.as_published if published_query else task
        beta = PAPER_BETA if task.beta is None else task.beta
        return Prediction(separate(separation)(np.float32(beta) * rule.scores(asked, None, None), asked), beta=beta)

    return answer


def _beta_outside(task: Task, tuner: Tuner) -> Prediction:
    """beta X^T softmax(X x): beta scales the picture, not the logits."""
    beta = PAPER_BETA if task.beta is None else task.beta
    weights = np.asarray(softmax(task.as_published.similarity("dot")))
    return Prediction(None, np.float32(beta) * (weights @ task.memories.patterns), beta=beta)


def _polynomial(task: Task, tuner: Tuner) -> Prediction:
    """sum (x . xi)^10 xi, not normalised."""
    weights = task.as_published.similarity("dot").astype(np.float64) ** 10
    with np.errstate(over="ignore"):
        return Prediction(None, np.minimum(weights @ task.memories.patterns, 1e30).astype(np.float32))


def _top_k(task: Task, tuner: Tuner) -> Prediction:
    """Softmax with the logits of the others at 0."""
    scores = task.as_published.similarity("dot")
    count = int(np.ceil(TOP_SHARE * scores.shape[1]))
    least = np.partition(scores, -count, axis=1)[:, -count, None]
    return Prediction(np.asarray(softmax(np.where(scores >= least, scores, 0))), beta=1.0)


def _random(task: Task, tuner: Tuner) -> Prediction:
    """Softmax with dropped logits at 0 and the others doubled."""
    scores = task.as_published.similarity("dot")
    kept = np.random.default_rng([task.seed, 2]).random(scores.shape) < KEEP
    return Prediction(np.asarray(softmax(np.where(kept, scores / np.float32(KEEP), 0))), beta=1.0)


def _entry(name: str, description: str, answer: Callable[[Task, Tuner], Prediction], *learners: Learner) -> Method:
    return Method(f"published:{name}", description, "published", answer, learners, learners, ("paper",))


def _only(name: str, description: str, answer: Callable[[Task, Tuner], Prediction], learner: Learner) -> Method:
    return Method(f"only:{name}", f"the paper's protocol, but {description}", "quirk", answer, (learner,), (learner,), ("paper",))


register(
    _entry(
        "uhop",
        "capacity script, average loss: rate / sqrt(k!), first half learned, W not normalised, mask = dropout x 2",
        _retrieve(Kernel(CODE, "raw")),
        CODE,
    ),
    _entry("uhop-sparse", "the same with sparsemax", _retrieve(Kernel(CODE, "raw"), "sparsemax"), CODE),
    _entry(
        "uhop-max",
        "the script that memory_capacity.sh runs: max loss at rate 10, first half learned, W not normalised, mask = dropout x 2",
        _retrieve(Kernel(CODE_MAX, "raw")),
        CODE_MAX,
    ),
    _entry("mhn", "mask = dropout x 2; nothing else differs at beta 1", _retrieve(BySimilarity("dot"))),
    _entry("beta", "beta multiplies the picture, not the logits; mask = dropout x 2", _beta_outside),
    _entry("sparse-mhn", "mask = dropout x 2", _retrieve(BySimilarity("dot"), "sparsemax")),
    _entry("l2", "+||x - xi||: the farthest memory wins; mask = dropout x 2", _retrieve(BySimilarity("l2", -1.0))),
    _entry("l1", "+||x - xi||_1: the farthest memory wins; mask = dropout x 2", _retrieve(BySimilarity("l1", -1.0))),
    _entry("poly10", "(x . xi)^10 without normalising, exponent 10 instead of 9; mask = dropout x 2", _polynomial),
    _entry("top-k", "excluded logits are 0, not -infinity; mask = dropout x 2", _top_k),
    _entry("random-mask", "excluded logits are 0, the others doubled; mask = dropout x 2", _random),
    _only("decay", "the rate falls as 1 / sqrt(k!)", _retrieve(Kernel(DECAYED), published_query=False), DECAYED),
    _only("half", "learned on the first half", _retrieve(Kernel(HALF), published_query=False), HALF),
    _only("raw-w", "the rows of W are not normalised", _retrieve(Kernel(PAPER, "raw"), published_query=False), PAPER),
    _only("dropout", "mask = dropout x 2", _retrieve(Kernel(PAPER)), PAPER),
    _only("max", "max loss at rate 10", _retrieve(Kernel(PAPER_MAX_10), published_query=False), PAPER_MAX_10),
)
