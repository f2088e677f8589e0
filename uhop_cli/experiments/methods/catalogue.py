"""The registry of methods: what is compared, one entry each.

A method takes a task and the settings of the protocol and answers with weights over the memories or with pictures. To add one,
write an entry; CONTRIBUTING.md has an example.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from uhop_cli.experiments.methods.ceiling import log_likelihood
from uhop_cli.experiments.methods.learners import PAPER, TUNED, UNTRAINED
from uhop_cli.experiments.methods.protocol import Answer, Retrieval, Tuner
from uhop_cli.experiments.methods.registry import Method, register
from uhop_cli.experiments.methods.rules import ClosedForm, Either, Kept, Kernel, Linear, Plain, RandomFeatures, Rule, Visible
from uhop_cli.experiments.methods.task import Task
from uhop_cli.retrieval.entmax import softmax


@dataclass(frozen=True)
class ByProtocol:
    """One answer under the paper's protocol and another one under the tuned protocol."""

    paper: Callable[[Task, Tuner], Answer]
    tuned: Callable[[Task, Tuner], Answer]

    def __call__(self, task: Task, tuner: Tuner) -> Answer:
        return (self.paper if tuner.protocol == "paper" else self.tuned)(task, tuner)


@dataclass(frozen=True)
class MatchedCosine:
    """Un-learned cosine with the logits on the scale of a kernel's: beta times the mean of its K(xi, xi)."""

    paper: Kernel
    tuned: Rule

    def __call__(self, task: Task, tuner: Tuner) -> Answer:
        kernel: Rule = self.paper if tuner.protocol == "paper" else self.tuned
        _, beta = tuner.setting(kernel, "softmax", task)
        if tuner.protocol == "paper":
            features = task.memories.features(self.paper.learner) / task.memories.row_lengths(self.paper.learner)
            beta *= float(np.einsum("md,md->", features, features, dtype=np.float64) / len(features))
        return Answer(np.asarray(softmax(np.float32(beta) * task.similarity("cosine"))), beta=beta)


def query_itself(task: Task, tuner: Tuner) -> Answer:
    """x, clamped to [0, 1]."""
    return Answer(None, task.queries)


def mean_image(task: Task, tuner: Tuner) -> Answer:
    """Equal weights."""
    size = len(task.memories)
    return Answer(np.full((len(task.queries), size), 1 / size, np.float32))


def posterior(task: Task, tuner: Tuner) -> Answer:
    """The posterior weights, where the likelihood of the corruption is known."""
    likelihood = log_likelihood(task)
    return Answer(None) if likelihood is None else Answer(np.asarray(softmax(likelihood), np.float32))


def _uhop(separation: str) -> ByProtocol:
    return ByProtocol(Retrieval(Kernel(PAPER), separation), Retrieval(ClosedForm(), separation))


register(
    Method(
        "uhop",
        "learned kernel; paper: Algorithm 1; tuned: closed form, alone or proposing to agreement (values are kept or replaced)",
        "uhop",
        ByProtocol(Retrieval(Kernel(PAPER)), Retrieval(Either((ClosedForm(), Kept())))),
        (PAPER,),
    ),
    Method(
        "uhop-kernel",
        "the kernel in closed form alone, unit features",
        "uhop",
        Retrieval(ClosedForm()),
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
        "the kernel, told which values are missing: it proposes 64, the visible values decide",
        "uhop",
        Retrieval(Visible(ClosedForm())),
        protocols=("tuned",),
    ),
    Method("mhn", "modern Hopfield network: dot product, softmax", "baseline", Retrieval(Plain("dot"))),
    Method("sparse-mhn", "dot product, sparsemax", "baseline", Retrieval(Plain("dot"), "sparsemax")),
    Method(
        "denseam-10", "dense associative memory of order 10: [cosine]+ ^ 9", "baseline", Retrieval(Plain("cosine"), "polynomial:10")
    ),
    Method("l2-mhn", "-||x - xi||, softmax", "baseline", Retrieval(Plain("l2"))),
    Method("l1-mhn", "-||x - xi||_1, softmax", "baseline", Retrieval(Plain("l1"))),
    Method("top-k", "dot product, softmax over the 20% largest", "baseline", Retrieval(Plain("dot"), "top-k:20%")),
    Method("random-mask", "dot product, softmax over a random half", "baseline", Retrieval(Plain("dot"), "random:50%")),
    Method("linear", "elu + 1 features, sums only", "baseline", Retrieval(Linear(), "share")),
    Method("random-features", "d positive random features of unit patterns", "baseline", Retrieval(RandomFeatures(), "share")),
    Method("query", "the damaged query itself", "control", query_itself),
    Method("mean-image", "the mean of the memories", "control", mean_image),
    Method("l2-squared", "-||x - xi||^2, softmax, nothing learned", "control", Retrieval(Plain("l2-squared"))),
    Method("cosine", "cosine, softmax, nothing learned", "control", Retrieval(Plain("cosine"))),
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
