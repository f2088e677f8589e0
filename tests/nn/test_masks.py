"""Shapes and kinds of masks."""

from __future__ import annotations

import math

import pytest
import torch

from uhop_cli.errors import SettingsError
from uhop_cli.nn import masks

SCORES = (3, 2, 4, 5)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((3, 5), (3, 1, 1, 5)),
        ((3, 4, 5), (3, 1, 4, 5)),
        ((1, 4, 5), (1, 1, 4, 5)),
        ((3, 2, 4, 5), SCORES),
        ((1, 2, 1, 5), (1, 2, 1, 5)),
    ],
)
def test_expanded(given: tuple[int, ...], expected: tuple[int, ...]) -> None:
    mask = masks.expanded(torch.ones(given, dtype=torch.bool), SCORES)
    assert mask is not None
    assert mask.shape == expected


@pytest.mark.parametrize("given", [(4, 5), (5,), (3, 4), (2, 4, 5), (3, 2, 4, 6), (3, 3, 4, 5)])
def test_shapes_that_do_not_fit(given: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match="a mask of shape"):
        masks.expanded(torch.zeros(given), SCORES)


def test_dtypes() -> None:
    assert masks.expanded(None, SCORES) is None
    with pytest.raises(SettingsError, match="uint8"):
        masks.expanded(torch.ones(3, 5, dtype=torch.uint8), SCORES)


def test_null_is_never_masked() -> None:
    assert masks.with_null(torch.tensor([[False]])).tolist() == [[False, True]]  # type: ignore[union-attr]
    assert masks.with_null(torch.tensor([[-math.inf]])).tolist() == [[-math.inf, 0]]  # type: ignore[union-attr]


def test_joined_and_applied() -> None:
    inside = torch.tensor([True, True, False])
    both = masks.joined(torch.tensor([True, False, True]), inside)
    assert masks.applied(torch.zeros(3), both).tolist() == [0, -math.inf, -math.inf]
    added = masks.joined(torch.tensor([1.0, 2.0, 3.0]), inside)
    assert masks.applied(torch.ones(3), added).tolist() == [2, 3, -math.inf]
    assert masks.joined(None, inside) is inside


@pytest.mark.parametrize("dead", [torch.tensor([[False, False], [True, False]]), torch.tensor([[-math.inf] * 2, [0, -math.inf]])])
def test_dead_rows_are_revived(dead: torch.Tensor) -> None:
    rows = masks.dead_rows(dead)
    assert rows.tolist() == [[True], [False]]
    assert not masks.dead_rows(masks.revived(dead, rows)).any()
    assert torch.equal(masks.revived(dead, rows)[1], dead[1])
