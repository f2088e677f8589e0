"""The registry of methods: what is compared, one entry each.

A method takes a task and the settings of the protocol and answers with weights over the memories or with pictures. To add one,
write an entry; CONTRIBUTING.md has an example.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from uhop_cli.experiments.methods.ceiling import log_likelihood
from uhop_cli.experiments.methods.engine import Engine
from uhop_cli.experiments.methods.learners import PAPER, TUNED, UNTRAINED
from uhop_cli.experiments.methods.protocol import Prediction, Retrieval, Tuner
from uhop_cli.experiments.methods.registry import Method, register
from uhop_cli.experiments.methods.rules import BySimilarity, ClosedForm, Kernel, Linear, RandomFeatures, Rule, mean_square
from uhop_cli.experiments.methods.task import Task
from uhop_cli.retrieval.entmax import softmax


@dataclass(frozen=True)
class ByProtocol:
    """One answer under the paper's protocol and another one under the tuned protocol."""

    paper: Callable[[Task, Tuner], Prediction]
    tuned: Callable[[Task, Tuner], Prediction]

    def __call__(self, task: Task, tuner: Tuner) -> Prediction:
        return (self.paper if tuner.protocol == "paper" else self.tuned)(task, tuner)


@dataclass(frozen=True)
class MatchedCosine:
    """Un-learned cosine with the logits on the scale of a kernel's: beta times the mean of its K(xi, xi)."""

    paper: Kernel
    tuned: Rule

    def __call__(self, task: Task, tuner: Tuner) -> Prediction:
        kernel: Rule = self.paper if tuner.protocol == "paper" else self.tuned
        _, beta = tuner.setting(kernel, "softmax", task)
        if tuner.protocol == "paper":
            features = task.memories.features(self.paper.learner) / task.memories.row_lengths(self.paper.learner)
            beta *= float(mean_square(features))
        return Prediction(np.asarray(softmax(np.float32(beta) * task.similarity("cosine"))), beta=beta)


def query_itself(task: Task, tuner: Tuner) -> Prediction:
    """x, clamped to [0, 1]."""
    return Prediction(None, task.queries)


def mean_image(task: Task, tuner: Tuner) -> Prediction:
    """Equal weights."""
    size = len(task.memories)
    return Prediction(np.full((len(task.queries), size), 1 / size, np.float32))


def posterior(task: Task, tuner: Tuner) -> Prediction:
    """The posterior weights, where the likelihood of the corruption is known."""
    likelihood = log_likelihood(task)
    return Prediction(None) if likelihood is None else Prediction(np.asarray(softmax(likelihood), np.float32))


def _uhop(separation: str) -> ByProtocol:
    return ByProtocol(Retrieval(Kernel(PAPER), separation), Retrieval(ClosedForm(), separation))


register(
    Method(
        "uhop",
        "paper: Algorithm 1; tuned: what `uhop query` answers, chosen by evidence; nothing in it is tuned",
        "uhop",
        ByProtocol(Retrieval(Kernel(PAPER)), Engine()),
        (PAPER,),
    ),
    Method(
        "uhop-kernel",
        "the kernel alone, softmax; paper: Algorithm 1, tuned: closed form, unit features",
        "uhop",
        _uhop("softmax"),
        (PAPER,),
        protocols=("tuned",),
    ),
    Method("uhop-sparse", "kernel and sparsemax; paper: Algorithm 1, tuned: closed form", "uhop", _uhop("sparsemax"), (PAPER,)),
    Method("uhop-entmax", "the same with 1.5-entmax", "uhop", _uhop("entmax:1.5"), (PAPER,)),
    Method(
        "uhop-gradient",
        "kernel by gradient descent with line search, unit features",
        "uhop",
        Retrieval(Kernel(TUNED, "unit")),
        tuned_learners=(TUNED,),
        protocols=("tuned",),
    ),
    Method(
        "uhop-visible",
        "what `uhop query` answers when it is told which values are missing",
        "uhop",
        Engine(told=True),
        protocols=("tuned",),
    ),
    Method("mhn", "modern Hopfield network: dot product, softmax", "baseline", Retrieval(BySimilarity("dot"))),
    Method("sparse-mhn", "dot product, sparsemax", "baseline", Retrieval(BySimilarity("dot"), "sparsemax")),
    Method(
        "denseam-10",
        "dense associative memory of order 10: [cosine]+ ^ 9",
        "baseline",
        Retrieval(BySimilarity("cosine"), "polynomial:10"),
    ),
    Method("l2-mhn", "-||x - xi||, softmax", "baseline", Retrieval(BySimilarity("l2"))),
    Method("l1-mhn", "-||x - xi||_1, softmax", "baseline", Retrieval(BySimilarity("l1"))),
    Method("top-k", "dot product, softmax over the 20% largest", "baseline", Retrieval(BySimilarity("dot"), "top-k:20%")),
    Method("random-mask", "dot product, softmax over a random half", "baseline", Retrieval(BySimilarity("dot"), "random:50%")),
    Method("linear", "elu + 1 features, sums only", "baseline", Retrieval(Linear(), "none")),
    Method("random-features", "d positive random features of unit patterns", "baseline", Retrieval(RandomFeatures(), "none")),
    Method("query", "the damaged query itself", "control", query_itself),
    Method("mean-image", "the mean of the memories", "control", mean_image),
    Method("l2-squared", "-||x - xi||^2, softmax, nothing learned", "control", Retrieval(BySimilarity("l2-squared"))),
    Method("cosine", "cosine, softmax, nothing learned", "control", Retrieval(BySimilarity("cosine"))),
    Method(
        "cosine-matched",
        "cosine at uhop's beta and scale, nothing learned",
        "control",
        MatchedCosine(Kernel(PAPER), ClosedForm()),
        (PAPER,),
    ),
    Method(
        "untrained",
        "uhop with W as it was drawn",
        "control",
        ByProtocol(Retrieval(Kernel(UNTRAINED)), Retrieval(Kernel(UNTRAINED, "unit"))),
        (UNTRAINED,),
        (UNTRAINED,),
    ),
    Method("ceiling", "posterior mean of the known corruption: nothing does better", "ceiling", posterior),
)
