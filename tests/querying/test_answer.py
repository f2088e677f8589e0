"""Answers: the best matches, parts, and parts put together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.evidence.doubts import Doubt, Reason
from uhop_cli.images.patterns import to_vectors
from uhop_cli.querying import answer as answers
from uhop_cli.querying.answer import Answer, answer_from, joined
from uhop_cli.retrieval.models import FixedModel
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.retrieval.separation import Separation

WEIGHTS = np.array([[0.0, 0.25, 0.75, 0.0], [0.5, 0.5, 0.0, 0.0]], np.float32)
SCORES = np.array([[1.0, 4.0, 5.0, 2.0], [3.0, 3.5, 0.0, 1.0]], np.float32)


def answer(**changed: Any) -> Answer:
    """Two queries, four memories, two steps."""
    made = Answer(
        weights=WEIGHTS,
        scores=SCORES,
        pictures=np.arange(12, dtype=np.float32).reshape(2, 2, 3),
        energies=np.array([[1.0, 2.0], [0.5, 1.5]]),
        steps=np.array([1, 2]),
        converged=np.array([True, False]),
        kernels=("identity", "kernel"),
        map="evidence",
        monotone=True,
        confidence=np.array([0.9, 0.2], np.float32),
    )
    return replace(made, **changed)


def test_the_best_are_those_of_the_largest_weight_then_score() -> None:
    found = answer()
    assert found.best(0, 3) == [(2, 0.75, 5.0), (1, 0.25, 4.0), (3, 0.0, 2.0)]
    assert found.best(0, 1) == [(2, 0.75, 5.0)]
    assert found.ranking(1, 4) == [1, 0, 3, 2]  # equal weights: by score
    assert found.ranking(1, 1) == [1]
    some = answer(rows=np.array([[10, 20, 30, 40], [50, 60, 70, 80]]))
    assert some.ranking(0, 2) == [30, 20]
    assert some.ranking(0, 1) == [30]
    assert some.ranking(1, 2) == [60, 50]


def test_the_order_is_that_of_as_many_scores_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked before for more or fewer, and however many queries are sorted at a time; the two best scores decide here."""
    monkeypatch.setattr(answers, "RANKED", 1)
    for together in (1, 2, 64):
        monkeypatch.setattr(answers, "SORTED", together)
        found = answer(weights=np.array([[0.1, 0.4, 0.2, 0.3], [0.4, 0.3, 0.2, 0.1]], np.float32))
        for _ in range(2):
            assert [found.ranking(query, 2) for query in range(2)] == [[1, 2], [0, 1]]
            assert [found.ranking(query, 4) for query in range(2)] == [[1, 3, 2, 0], [0, 1, 2, 3]]
            assert [found.ranking(query, 9) for query in range(2)] == [[1, 3, 2, 0], [0, 1, 2, 3]]


def test_a_part_is_one_query_and_the_memories_of_its_best_scores() -> None:
    part = answer().part(slice(1, 2), 2)
    assert part.rows is not None
    assert part.rows.tolist() == [[1, 0]]
    assert part.weights.tolist() == [[0.5, 0.5]]
    assert part.scores.tolist() == [[3.5, 3.0]]
    assert part.pictures.tolist() == [[[3, 4, 5]], [[9, 10, 11]]]
    assert part.energies is not None
    assert part.energies.tolist() == [[2.0], [1.5]]
    assert (part.steps.tolist(), part.converged.tolist(), part.kernels) == ([2], [False], ("kernel",))
    assert part.confidence is not None
    assert part.confidence.tolist() == [np.float32(0.2)]
    again = answer(rows=np.array([[10, 20, 30, 40], [50, 60, 70, 80]])).part(slice(1, 2), 2)
    assert again.rows is not None
    assert again.rows.tolist() == [[60, 50]]
    bare = answer(energies=None, confidence=None).part(slice(0, 1), 4)
    assert (bare.energies, bare.confidence) == (None, None)


def test_answers_from_all_memories_take_the_place_of_those_from_some() -> None:
    first = answer(weights=WEIGHTS[:, :2], scores=SCORES[:, :2], rows=np.array([[7, 8], [6, 9]]), why=(Doubt(Reason.UNKNOWN),) * 2)
    again = answer(confidence=np.array([0.5, 0.7], np.float32), why=(Doubt(Reason.TWO), Doubt(Reason.HIDDEN))).part(slice(0, 1), 4)
    found = first.updated(np.array([1]), again)
    assert found.rows is not None
    assert found.rows.tolist() == [[7, 8], [2, 1]]  # as many of the best
    assert found.scores.tolist() == [SCORES[0, :2].tolist(), [5.0, 4.0]]
    assert found.weights.tolist() == [WEIGHTS[0, :2].tolist(), [0.75, 0.25]]
    assert found.pictures[:, 1].tolist() == answer().pictures[:, 0].tolist()
    assert found.pictures[:, 0].tolist() == answer().pictures[:, 0].tolist()
    assert found.confidence is not None
    assert found.confidence.tolist() == [np.float32(0.9), 0.5]
    assert found.why == (Doubt(Reason.UNKNOWN), Doubt(Reason.TWO))
    assert (found.kernels, found.steps.tolist()) == (("identity", "identity"), [1, 1])


def test_answers_from_some_memories_are_answers_among_more() -> None:
    few = answer(weights=WEIGHTS[:, 1:3], scores=SCORES[:, 1:3], rows=np.array([[3, 9], [1, 4]]))
    found = few.among(np.array([[2, 3, 9], [1, 4, 5]]))
    assert found.rows is not None
    assert found.rows.tolist() == [[2, 3, 9], [1, 4, 5]]
    assert found.weights.tolist() == [[0, 0.25, 0.75], [0.5, 0, 0]]
    assert found.scores.tolist() == [[4, 4, 5], [3.5, 0, 0]]  # the least where nobody looked
    assert [found.ranking(place, 1) for place in range(2)] == [few.ranking(place, 1) for place in range(2)]


def test_parts_that_arrived_early_stay_where_they_are() -> None:
    short = answer(pictures=np.full((1, 2, 3), 7, np.float32), energies=np.array([[3.0, 4.0]]))
    whole = joined([short, answer()])
    assert whole.pictures.shape == (2, 4, 3)
    assert (whole.pictures[:, :2] == 7).all()
    assert whole.energies is not None
    assert whole.energies.tolist() == [[3, 4, 1, 2], [3, 4, 0.5, 1.5]]
    assert whole.weights.tolist() == [*WEIGHTS.tolist(), *WEIGHTS.tolist()]
    assert whole.steps.tolist() == [1, 2, 1, 2]
    assert whole.kernels == ("identity", "kernel") * 2
    assert whole.rows is None
    assert joined([answer(energies=None)]).energies is None


def test_an_answer_says_what_the_model_did(make_memory: Any) -> None:
    memory = make_memory()
    x = to_vectors(memory.patterns)
    scores = np.log(np.array([[1, 1, 6, 1, 1]], np.float32))
    model = FixedModel(scores, Separation.parse("softmax"), 1.0, "fixed")
    found = answer_from(model, pattern_matrix(memory.patterns), x[:1], trace=True)
    np.testing.assert_allclose(found.weights, [[0.1, 0.1, 0.6, 0.1, 0.1]], rtol=1e-5)
    np.testing.assert_allclose(found.pictures[0], found.weights @ x, rtol=1e-5)
    assert (found.kernels, found.map, found.monotone, found.confidence, found.rows) == (("fixed",), "fixed", True, None, None)
    assert found.converged.tolist() == [True]
    assert found.steps.tolist() == [1]
    known = np.ones((1, x.shape[1]), np.bool_)
    kept = answer_from(
        model,
        pattern_matrix(memory.patterns),
        x[:1],
        kernels=("a",),
        steps=1,
        clamp=(known, x[:1]),
        rows=np.array([[5, 6, 7, 8, 9]]),
    )
    np.testing.assert_array_equal(kept.pictures[-1], x[:1])
    assert kept.kernels == ("a",)
    assert kept.ranking(0, 1) == [7]


def test_two_that_fit_about_equally_are_both_named_and_share_the_weight() -> None:
    doubts = (Doubt(Reason.TWO, ((1, 0.6), (2, 0.4))), Doubt(Reason.UNKNOWN))
    found = answer(why=doubts)
    assert found.doubtful(0, 1) == [(1, 0.6, 4.0), (2, 0.4, 5.0)]
    assert found.doubtful(0, 3) == [(1, 0.6, 4.0), (2, 0.4, 5.0), (3, 0.0, 2.0)]
    assert found.doubtful(1, 2) == found.best(1, 2)
    assert answer().doubtful(0, 2) == answer().best(0, 2)
    rows = np.array([[10, 11, 12, 13], [20, 21, 22, 23]])
    some = answer(rows=rows, why=(Doubt(Reason.TWO, ((12, 0.5), (99, 0.5))), doubts[1]))
    assert some.doubtful(0, 1) == [(12, 0.5, 5.0), (99, 0.5, 1.0)]  # one that is not among the rows has the least score
    assert some.part(slice(0, 1), 2).why == some.why[:1]
    assert joined([found.part(slice(1, 2), 2), found.part(slice(0, 1), 2)]).why == doubts[::-1]
