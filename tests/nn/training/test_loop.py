"""The loop: what is kept, when it ends, and what is random in it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from uhop_cli.errors import MemoryFileError, SettingsError
from uhop_cli.nn.training import Fitted, batches, seeded, train

ERRORS = [(3.0, 0.5), (2.0, 0.25), (1.0, 0.375)]


def run(
    keep: Literal["best", "last"], checkpoint: Path | None = None, errors: list[tuple[float, float]] = ERRORS, stop: int = 3
) -> tuple[nn.Linear, Fitted, list[int]]:
    """A training whose epochs add 1 to a weight that begins at 0, with these errors."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimiser = torch.optim.Adam(model.parameters())
    numbers: list[int] = []

    def epoch(number: int) -> tuple[float, float]:
        numbers.append(number)
        model(torch.ones(1, 1)).sum().backward()
        optimiser.step()
        with torch.no_grad():
            model.weight.fill_(number + 1)
        return errors[number]

    fitted = train(
        model, optimiser, epoch, lambda done: len(done.history) >= stop, keep=keep, task={"a": (1,)}, checkpoint=checkpoint
    )
    return model, fitted, numbers


@pytest.mark.parametrize(("keep", "weight"), [("best", 2.0), ("last", 3.0)])
def test_what_is_kept(keep: Literal["best", "last"], weight: float, tmp_path: Path) -> None:
    model, fitted, numbers = run(keep)
    assert (fitted, numbers, model.weight.item()) == (Fitted(ERRORS), [0, 1, 2], weight)
    assert (fitted.best, fitted.validation) == (1, 0.25)
    assert not model.training
    run(keep, tmp_path / "state", stop=2)
    model, again, numbers = run(keep, tmp_path / "state")
    assert (again, numbers, model.weight.item()) == (fitted, [2], weight)
    model, again, numbers = run(keep, tmp_path / "state")
    assert (again, numbers, model.weight.item()) == (fitted, [], weight)


def test_the_best_parameters_are_in_the_file_where_they_are_kept(tmp_path: Path) -> None:
    run("best", tmp_path / "best")
    run("last", tmp_path / "last")
    assert b"best.weight" in (tmp_path / "best").read_bytes()
    assert b"best." not in (tmp_path / "last").read_bytes()
    with pytest.raises(MemoryFileError, match="inconsistent"):
        run("best", tmp_path / "last")


def test_an_error_that_is_not_finite_ends_it() -> None:
    with pytest.raises(SettingsError, match="after epoch 2"):
        run("last", errors=[(1.0, 1.0), (float("nan"), 1.0)])


def test_batches_are_drawn_by_their_seeds() -> None:
    before = torch.get_rng_state()
    found = []
    for seeds in ([1, 0], [1, 0], [1, 1]):
        with batches(7, 3, seeds) as rows:
            found.append((np.concatenate(rows), torch.rand(1)))
            assert [len(part) for part in rows] == [3, 3, 1]
    assert np.array_equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    assert sorted(found[0][0]) == list(range(7))
    assert not np.array_equal(found[0][0], found[2][0])
    assert not torch.equal(found[0][1], found[2][1])
    with batches(7, 3, [1, 0], 4) as rows:
        assert np.array_equal(np.concatenate(rows), found[0][0][:4])
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_nets_are_equal_and_disturb_nobody() -> None:
    before = torch.get_rng_state()
    one, same, other = (seeded(seed, lambda: nn.Linear(3, 3)) for seed in (1, 1, 2))
    assert torch.equal(one.weight, same.weight)
    assert not torch.equal(one.weight, other.weight)
    assert torch.equal(torch.get_rng_state(), before)
