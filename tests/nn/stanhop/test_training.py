"""The loop: it learns, it stops, it goes on after a kill as if there had been none, and two arms see the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from uhop_cli.errors import MemoryFileError, SettingsError
from uhop_cli.forecasting.windows import Windows
from uhop_cli.nn.stanhop import STanHopNet, TrainingSettings, TuneAndPlay, fit, predict, training

MakeNet = Callable[..., STanHopNet]

SHORT = TrainingSettings(epochs=4, windows=32, batch=16)


def part(windows: Windows, begin: int, end: int) -> Windows:
    return Windows(windows.past[begin:end], windows.future[begin:end], windows.starts[begin:end])


def test_errors_fall(make_net: MakeNet, windows: Windows) -> None:
    net = make_net(dropout=0.0)
    told: list[tuple[int, str]] = []
    settings = replace(SHORT, epochs=6, windows=None, batch=8, rate=2e-2)
    fitted = fit(net, part(windows, 0, 70), part(windows, 70, 103), settings, on_epoch=lambda *words: told.append(words))
    (first, _), (last, held_out) = fitted.history[0], fitted.history[-1]
    assert last < 0.6 * first
    assert held_out < 0.7 * np.square(windows.future[70:]).mean()
    assert told[-1] == (len(fitted.history), f"training {last:.4f}, validation {held_out:.4f}")


def test_the_best_epoch_is_kept(make_net: MakeNet, windows: Windows) -> None:
    net, held_out = make_net(), part(windows, 70, 103)
    fitted = fit(net, part(windows, 0, 70), held_out, replace(SHORT, rate=3e-2, epochs=6, patience=2))
    assert fitted.validation == min(value for _, value in fitted.history)
    assert np.mean((predict(net, held_out.past) - held_out.future) ** 2) == pytest.approx(fitted.validation, rel=1e-6)
    assert len(fitted.history) == 6 or len(fitted.history) - 1 - fitted.best == 2


@pytest.mark.parametrize("alternate", [False, True])
def test_a_killed_training_goes_on(alternate: bool, make_net: MakeNet, windows: Windows, tmp_path: Path) -> None:
    train, held_out = part(windows, 0, 70), part(windows, 70, 80)
    settings = replace(SHORT, alternate=alternate, epochs=3, windows=16, batch=8)

    class KilledError(Exception):
        pass

    def kill(epoch: int, _: str) -> None:
        if epoch == 2:
            raise KilledError

    whole = make_net(kernel=True)
    expected = fit(whole, train, held_out, settings, seed=3)
    with pytest.raises(KilledError):
        fit(make_net(kernel=True), train, held_out, settings, seed=3, checkpoint=tmp_path / "a", on_epoch=kill)
    torch.manual_seed(99)  # the state of the process is not that of the one that was killed
    again = make_net(kernel=True, seed=5)
    assert fit(again, train, held_out, settings, seed=3, checkpoint=tmp_path / "a") == expected
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in whole.state_dict().items())
    finished = make_net(kernel=True, seed=6)
    assert fit(finished, train, held_out, settings, seed=3, checkpoint=tmp_path / "a") == expected  # nothing left to do
    assert all(torch.equal(value, finished.state_dict()[name]) for name, value in whole.state_dict().items())
    with pytest.raises(MemoryFileError, match="another training"):
        fit(make_net(kernel=True), train, held_out, settings, seed=4, checkpoint=tmp_path / "a")


def test_arms_of_one_seed_see_the_same_batches(make_net: MakeNet, windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[np.ndarray]] = []
    plain = training.forecast

    def watch(model: torch.nn.Module, past: np.ndarray, starts: np.ndarray, rule: str) -> torch.Tensor:
        if model.training:
            seen[-1].append(starts)
        return plain(model, past, starts, rule)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "forecast", watch)
    for kernel, seed in ((False, 0), (True, 0), (False, 1)):
        seen.append([])
        fit(make_net(kernel=kernel), windows, part(windows, 0, 9), replace(SHORT, epochs=2, alternate=kernel), seed=seed)
    first, second, other = (np.concatenate(batches) for batches in seen)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert len(np.unique(first[:32])) == 32  # drawn without replacement
    assert not np.array_equal(first[:32], first[32:])  # and anew for each epoch


def test_the_random_numbers_of_others_stay(make_net: MakeNet, windows: Windows) -> None:
    before = torch.get_rng_state()
    fit(make_net(), windows, part(windows, 0, 9), replace(SHORT, epochs=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_batch_means_are_not_the_mean_over_windows(make_net: MakeNet, windows: Windows) -> None:
    net, held_out = make_net(), part(windows, 0, 17)  # a batch of 16 and one of 1
    each = np.mean((predict(net, held_out.past) - held_out.future) ** 2, axis=(1, 2))
    assert training._validation(net, held_out, SHORT) == pytest.approx(each.mean())
    published = training._validation(net, held_out, replace(SHORT, batch_means=True))
    assert published == pytest.approx((each[:16].mean() + each[16]) / 2)
    absolute = training._validation(net, held_out, replace(SHORT, loss="absolute"))
    assert absolute == pytest.approx(np.abs(predict(net, held_out.past) - held_out.future).mean())


@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_the_training_error_is_that_before_each_step(loss: str, make_net: MakeNet, windows: Windows) -> None:
    net, train = make_net(dropout=0.0), part(windows, 0, 16)
    difference = predict(net, train.past) - train.future
    expected = np.mean(difference**2) if loss == "squared" else np.abs(difference).mean()
    one_step = replace(SHORT, epochs=1, loss=loss)  # type: ignore[arg-type]
    (error, held_out) = fit(net, train, train, one_step).history[0]
    assert error == pytest.approx(expected, rel=1e-5)
    assert held_out != pytest.approx(expected, rel=1e-3)  # after the step


def test_gradients_are_clipped(make_net: MakeNet, windows: Windows) -> None:
    before, net = make_net(), make_net()
    fit(net, windows, part(windows, 0, 9), replace(SHORT, epochs=1, clip=1e-12))  # far below the epsilon of Adam
    moved = max(float((one - two).detach().abs().max()) for one, two in zip(net.parameters(), before.parameters(), strict=True))
    assert 0 < moved < 1e-5


def test_rates_are_halved_after_every_second_epoch_and_memories_have_their_own(
    make_net: MakeNet, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[float]] = []

    def note(model: object, optimiser: torch.optim.Optimizer, *rest: object) -> float:
        seen.append([group["lr"] for group in optimiser.param_groups])
        return 1.0

    monkeypatch.setattr(training, "_epoch", note)
    settings = replace(SHORT, epochs=5, patience=9, rate=0.008, memory_rate=3.0)
    fit(make_net(), windows, part(windows, 0, 9), settings)
    assert np.concatenate(seen) == pytest.approx([0.008, 0.008, 0.004, 0.004, 0.002])
    seen.clear()
    fit(TuneAndPlay(make_net(), part(windows, 0, 20)), windows, part(windows, 30, 39), settings)
    assert seen[0] == pytest.approx([0.008, 0.024])


def test_what_does_not_end_well_is_told(make_net: MakeNet, windows: Windows) -> None:
    bad = Windows(windows.past, np.where(windows.starts[:, None, None] > 9, windows.future, np.nan), windows.starts)
    with pytest.raises(SettingsError, match="after epoch 1"):
        fit(make_net(), part(bad, 0, 16), part(windows, 0, 9), SHORT)
    for wrong in ({"epochs": 0}, {"windows": 0}, {"rate": 0.0}, {"loss": "mean"}):
        with pytest.raises(SettingsError):
            TrainingSettings(**wrong)  # type: ignore[arg-type]
