"""Stage II on a stored memory: picks the retrieval model that the settings ask for, runs it, and says how sure the answer is.

By default (`similarity` auto) the answer is chosen by evidence (`evidence.choice`); with known missing pixels by the likelihood
of the visible ones (`retrieval.visible`). Any other similarity is the plain model of the papers with that similarity alone.

A large memory has codes (`evidence.codes`): then the evidence is looked for in two stages, on a shortlist first, and among all
memories only where the shortlist's answer is not convincing.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property

import numpy as np

from uhop_cli.arrays.device import CPU, Device
from uhop_cli.arrays.library import Array, namespace, to_numpy
from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.resources import available_memory
from uhop_cli.arrays.threads import chunks, one_blas_thread
from uhop_cli.arrays.types import Bool, Float32, Int64
from uhop_cli.errors import MemoryFileError, SettingsError
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.codes import Coder, Shortlist
from uhop_cli.evidence.confidence import Confidence
from uhop_cli.evidence.likelihoods import MemoryStatistics, centred
from uhop_cli.evidence.model import EvidenceModel, Examiner
from uhop_cli.evidence.statistics import Statistics, encode, evidence_members
from uhop_cli.evidence.visible import visible_features, visible_log_likelihood
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.answer import Answer, answer_of, joined
from uhop_cli.querying.settings import PLAIN, RetrievalSettings
from uhop_cli.retrieval.dynamics import run
from uhop_cli.retrieval.inverse_temperature import auto_beta
from uhop_cli.retrieval.models import ClampedModel, FixedModel, LinearModel, Model
from uhop_cli.retrieval.pattern_matrix import Bank
from uhop_cli.retrieval.separation import Separation
from uhop_cli.retrieval.similarity import similarity

VISIBLE_PIXELS = "visible pixels"
BETA_SAMPLE = 64
CONVINCING = 0.9  # confidence from which on a shortlist's answer stands
HALF_A_LEVEL = 0.5 / 255
MOST_QUERIES = {"evidence": 256, "plain": 1024}  # at a time: more bring no speed
ARRAYS_PER_QUERY = {"evidence": 24, "plain": 6}  # of M float32 values alive at a time: scores of all members, weights, ranks


class Retriever:
    """Stage II on a memory.

    Args:
        memory: what is stored.
        settings: how to retrieve.
        device: where.
    """

    def __init__(self, memory: Memory, settings: RetrievalSettings | None = None, device: Device = CPU) -> None:
        self.memory, self.device = memory, device
        self.settings = settings or RetrievalSettings()
        self.separation = Separation.parse(self.settings.separation)
        self.bank = Bank(memory.patterns, device)
        self.steps = None if self.settings.steps == "auto" else self.settings.steps
        self._asked = 0  # queries that went through all memories
        self.expected = 0  # queries that are to come in all, where somebody knows

    @property
    def batch(self) -> int:
        """How many queries to answer at a time, so that their scores fit into a quarter of the memory there is."""
        kind = "evidence" if self.settings.similarity == "auto" else "plain"
        room = self.device.free_memory() // 4 // (4 * ARRAYS_PER_QUERY[kind] * len(self.memory))
        return int(np.clip(room, 1, MOST_QUERIES[kind]))

    def retrieve(self, queries: Float32, visible: Bool | None = None, *, trace: bool = False) -> Answer:
        """Answer queries (Q, d); `visible` (Q, d) says which values are known, None: nothing is known to be missing.

        All queries are answered at once; `batch` says how many at most that should be. In two stages `rows` says which memories
        the weights are of.

        Raises:
            MemoryFileError: the numbers of the memory, which are somebody's claim, lead to none that are finite.
        """
        with np.errstate(all="ignore"), one_blas_thread() if self.device.is_numpy else nullcontext():
            plain = self.settings.similarity != "auto" or self.memory.record.get("retrieval") == "paper"
            if plain or visible is not None or self.shortlist is None:
                answer = self._answer(queries, visible, trace)
            else:
                answer = self._in_two_stages(queries, self.shortlist(queries), trace)
        if not (np.isfinite(answer.weights.sum(axis=-1)).all() and np.isfinite(answer.pictures).all()):
            raise MemoryFileError(
                "no answer can be computed, as the memory has numbers out of range", "`uhop info --verify` looks for damage"
            )
        return answer

    def _answer(self, queries: Float32, visible: Bool | None, trace: bool) -> Answer:
        if self.settings.similarity == "auto" and self.memory.record.get("retrieval") != "paper":
            model = self._by_evidence(queries) if visible is None else self._visible_likelihood(queries, visible)
        else:
            model = self._plain(queries, visible)
        put = self.device.put
        clamp = None if visible is None else (put(visible), put(queries))
        trajectory = run(model, self.bank, put(queries), steps=self.steps, clamp=clamp, trace=trace)
        if isinstance(model, EvidenceModel):
            names = tuple(model.query.models[int(index)] for index in to_numpy(model.choice.model))
            return self._recognised(queries, answer_of(trajectory, names, self._confidence("evidence", model.choice.features)))
        confidence = None
        if visible is not None and model.name == VISIBLE_PIXELS:
            confidence = self._confidence("visible", visible_features(trajectory.scores, put(queries), put(visible)))
        return answer_of(trajectory, (model.name,) * len(queries), confidence)

    def _confidence(self, kind: str, features: Array) -> Float32 | None:
        """P(right) of answers with these features, by the calibration of the self-test; None where there is none."""
        calibration = self.memory.record.get("calibration")
        values = calibration.get(kind) if isinstance(calibration, dict) else None
        if not isinstance(values, dict):
            return None
        facts = to_numpy(features)
        try:
            confidence = Confidence.from_json(values)
        except SettingsError:  # somebody's claim, and no calibration
            return None
        return confidence(facts) if len(confidence.weights) == 2 * facts.shape[1] else None

    def _recognised(self, queries: Float32, answer: Answer) -> Answer:
        """The answer, sure where the query is the match value for value (to 8 bits): patterns are stored once, so it is no other.

        What a confidence is made of says little about pictures of nearly one colour, and calls an undamaged one unlikely.
        """
        if answer.confidence is None:
            return answer
        best = answer.weights.argmax(axis=1)
        rows = best if answer.rows is None else np.take_along_axis(answer.rows, best[:, None], axis=1)[:, 0]
        same = (np.abs(queries - unit_rows(self.memory.patterns[rows])) < HALF_A_LEVEL).all(axis=1)
        return replace(answer, confidence=np.where(same, np.float32(1), answer.confidence))

    def _by_evidence(self, queries: Float32) -> EvidenceModel:
        self._asked += len(queries)
        members = len(evidence_members(self.memory.kernel))
        # With a shortlist few queries come here, and what is bounded is the memory taken.
        at_hand = self.memory.compact is None and self._features_pay(members)
        examiner = self._examiner_with_features if at_hand else self.examiner
        return EvidenceModel(examiner, examiner.prepare(queries), self.separation, 1.0)

    @cached_property
    def shortlist(self) -> Shortlist | None:
        """What finds the memories that are worth examining, where there are codes of them, on the CPU."""
        codes, directions = self.memory.compact, self.memory.compact_map
        if codes is None or directions is None or not self.device.is_numpy:
            return None
        return Shortlist(codes, Coder(directions, len(codes) - len(directions)))

    def _in_two_stages(self, queries: Float32, shortlists: Int64, trace: bool) -> Answer:
        """Each query's evidence on its shortlist (Q, S); all memories for those whose answer is not convincing then."""
        answers = [self._among(queries[place : place + 1], rows, trace) for place, rows in enumerate(shortlists)]
        doubtful = [place for place, answer in enumerate(answers) if answer.confidence is None or answer.confidence[0] < CONVINCING]
        for part in chunks(len(doubtful), self.batch):
            places = doubtful[part]
            again = self._answer(queries[places], None, trace)
            for index, place in enumerate(places):
                answers[place] = again.part(index, shortlists.shape[1])
        return joined(answers)

    def _among(self, query: Float32, rows: Int64, trace: bool) -> Answer:
        """The answer to one query (1, d), as if only the memories in `rows` were stored."""
        examiner = self._examiner(Bank(self.memory.patterns[rows], self.device), self._statistics.select(rows))
        model = EvidenceModel(examiner, examiner.prepare(query), self.separation, 1.0)
        trajectory = run(model, examiner.bank, model.query.pictures, steps=self.steps, trace=trace)
        names = tuple(model.query.models[int(index)] for index in to_numpy(model.choice.model))
        confidence = self._confidence("evidence", model.choice.features)
        return self._recognised(query, answer_of(trajectory, names, confidence, rows[None]))

    @cached_property
    def examiner(self) -> Examiner:
        """All memories as the choice by evidence sees them."""
        return self._examiner(self.bank, self._statistics)

    def _examiner(self, bank: Bank, kept: Statistics) -> Examiner:
        """The memories of a bank as the choice by evidence sees them, from their statistics."""
        kernel, members, put = self.memory.kernel, evidence_members(self.memory.kernel), self.device.put
        grid = BlockGrid.of(self.memory.spec.shape)
        statistics = MemoryStatistics.of(grid, put(kept.sums), put(kept.squares), put(kept.norms))
        dims = (float(bank.dim),) * len(members)
        return Examiner(bank, grid, statistics, lambda rows: kernel.probes(rows, members), dims)

    @cached_property
    def _statistics(self) -> Statistics:
        """What the memory file keeps of each memory; computed where it is absent, or was made for other kernels or blocks."""
        memory, blocks = self.memory, BlockGrid.of(self.memory.spec.shape).side ** 2
        kept = memory.statistics
        if kept is not None and kept.widths == (blocks, blocks, len(evidence_members(memory.kernel))):
            return kept
        return encode(memory.kernel, memory.spec, memory.patterns)[1]

    def _visible_likelihood(self, queries: Float32, visible: Bool) -> Model:
        scores = visible_log_likelihood(self.bank, self.device.put(queries), self.device.put(visible))
        beta = 1.0 if self.settings.beta == "auto" else self.settings.beta
        return FixedModel(scores, self.separation, beta, VISIBLE_PIXELS)

    def _plain(self, queries: Float32, visible: Bool | None) -> Model:
        """The model of the papers with one similarity."""
        name, put = self.settings.similarity, self.device.put
        if name in ("auto", "kernel"):
            kernel = self.memory.kernel
            raw = name == "auto"  # a memory made by the paper's protocol: features are not normalised
            self._asked += len(queries)
            products = self.steps or 2  # a fixed point takes two steps or more
            arguments = {
                "weight": put(kernel.weight),
                "norms": None if raw else put(self.memory.norms[:, kernel.chosen]),
                "features": self._features if self._features_pay(products) else None,
                "name": "raw kernel" if raw else "kernel",
            }
            beta = self.memory.beta if self.settings.beta == "auto" else self.settings.beta
            if visible is not None:
                return ClampedModel(self.bank, self.separation, beta, **arguments, known=put(visible))
            return LinearModel(self.bank, self.separation, beta, **arguments)
        beta = self._auto_beta if self.settings.beta == "auto" else self.settings.beta
        if visible is not None or name == "l1":
            rows = put(unit_rows(self.memory.patterns))
            seen = None if visible is None else put(visible)
            scores = similarity(PLAIN[name])(put(queries), rows, visible=seen)
            return FixedModel(scores, self.separation, beta, name)
        if name == "l2":
            return LinearModel(self.bank, self.separation, beta, bias=-(self.lengths**2), scale=2.0, name=name)
        return LinearModel(self.bank, self.separation, beta, norms=self.lengths if name == "cosine" else None, name=name)

    def _features_pay(self, products: int) -> bool:
        """Whether the features of all memories are worth their while, if each query takes so many products with the memories.

        A product costs d M multiplications, or D M with the features at hand, which cost D d M: after d D / (d - D) products more
        than half of the work could have been saved, and whoever has asked so many goes on asking. If it is known before that so
        many will be asked, the features cost nothing; nor do they for a tenth less, as pixels have to be converted for a product.
        """
        kernel, count = self.memory.kernel, len(self.memory)
        dim, size = kernel.pattern_dim, kernel.feature_dim
        if {"_features", "_examiner_with_features"} & vars(self).keys():
            return True
        if 2 * size > dim or not self.device.is_numpy or 4 * size * count > available_memory() // 4:
            return False
        return products * max(self._asked, self.expected) * (dim - size) > 0.9 * dim * size

    @cached_property
    def _features(self) -> Float32:
        """W xi of all memories, (D, M), divided by their lengths unless the kernel is the raw one of the paper's protocol."""
        if self.settings.similarity == "auto":
            return np.asarray(self.bank.products(self.memory.kernel.weight))
        norms = self.memory.norms[:, self.memory.kernel.chosen]
        inverse = np.where(norms > 0, 1 / np.where(norms > 0, norms, 1), 0)
        return np.asarray(self.bank.products(self.memory.kernel.weight, inverse))

    @cached_property
    def _examiner_with_features(self) -> Examiner:
        """`examiner` with W (xi - mean xi) of all memories at hand."""
        kernel, members = self.memory.kernel, evidence_members(self.memory.kernel)
        features = self.bank.products(centred(kernel.weight))
        return replace(self.examiner, features=features, coordinates=lambda rows: kernel.coordinates(rows, members))

    @cached_property
    def lengths(self) -> Array:
        """||xi_mu||, shape (M,)."""
        ones = self.device.put(np.ones((1, self.bank.dim), np.float32))
        return namespace(ones).sqrt(self.bank.products(ones, squared=True)[0])

    @cached_property
    def _auto_beta(self) -> float:
        """From the margins that a sample of the memories, undamaged, has in the similarity asked for."""
        count = len(self.memory)
        rows = np.sort(np.random.default_rng(0).choice(count, min(count, BETA_SAMPLE), replace=False))
        patterns = unit_rows(self.memory.patterns)
        scores = similarity(PLAIN[self.settings.similarity])(patterns[rows], patterns)
        own = scores[np.arange(len(rows)), rows].copy()
        scores[np.arange(len(rows)), rows] = -np.inf
        return auto_beta(own - scores.max(axis=1), count)
