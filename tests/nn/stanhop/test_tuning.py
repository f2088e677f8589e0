"""Tune-and-Play: its equations, its leakage rules, its controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.windows import Windows
from uhop_cli.nn import Alternation
from uhop_cli.nn.stanhop import STanHopNet, TrainingSettings, TuneAndPlay, fit
from uhop_cli.nn.training import seeded

MakeNet = Callable[..., STanHopNet]


def part(windows: Windows, begin: int, end: int) -> Windows:
    return Windows(windows.past[begin:end], windows.future[begin:end], windows.starts[begin:end])


def tuned(make_net: MakeNet, stored: Windows) -> TuneAndPlay:
    """A model whose gate is open, more or less as the query is."""
    model = seeded(1, lambda: TuneAndPlay(make_net(), stored)).eval()
    with torch.no_grad():
        model.gate.bias.fill_(0.5)
        model.gate.weight.copy_(torch.linspace(-0.5, 0.5, 8)[None])
    return model


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


def test_the_forecast_is_what_its_equations_say(make_net: MakeNet, windows: Windows) -> None:
    model = tuned(make_net, part(windows, 0, 30))
    past, starts = tensor(windows.past[60:63]), windows.starts[60:63]
    forecast = model(past, starts)
    plain = model.net(past)
    layer = model.association
    for query in range(3):
        for series in range(2):
            level = past[query, :, series].mean()
            state = model.embedding(torch.cat([past[query, :, series] - level, torch.zeros(6)]))
            levels = [windows.past[index, :, series].mean() for index in range(30)]
            tokens = [
                np.concatenate([windows.past[index, :, series], windows.future[index, :, series]]) - levels[index]
                for index in range(30)
            ]
            stored = model.embedding(tensor(np.array(tokens)))
            weights = layer.associations(stored[None], state[None, None])[0, 0, 0]
            changes = tensor(np.array([windows.future[index, :, series] - levels[index] for index in range(30)]))
            remembered = level + weights @ changes
            gate = model.gate(state).sigmoid()
            expected = (1 - gate) * plain[query, :, series] + gate * remembered
            assert torch.allclose(forecast[query, :, series], expected, atol=1e-5)


def test_it_begins_as_the_net_but_for_a_little(make_net: MakeNet, windows: Windows) -> None:
    net = make_net().eval()
    model = TuneAndPlay(net, part(windows, 0, 30)).eval()
    past = tensor(windows.past[60:70])
    moved = (model(past, windows.starts[60:70]) - net(past)).abs().max()
    assert 0 < moved < 0.2
    assert model.gate(torch.randn(5, 8)).sigmoid().flatten().tolist() == pytest.approx([0.018] * 5, abs=1e-3)


def test_what_a_query_may_not_see_changes_nothing(make_net: MakeNet, windows: Windows) -> None:
    """The leakage laws: neither a stored future that has not ended, nor, in training, a span that shares a row."""
    model = tuned(make_net, windows)
    query = slice(50, 51)
    start = int(windows.starts[50])
    past = tensor(windows.past[query])
    for rule, forbidden in (
        ("past", windows.starts + 6 > start),
        ("apart", np.abs(windows.starts - start) < 12 + 6),
    ):
        before = model(past, windows.starts[query], rule)  # type: ignore[arg-type]
        other = tuned(make_net, windows)
        hidden, seen = (torch.from_numpy(np.flatnonzero(rows)) for rows in (forbidden, ~forbidden))
        for memory in (other.past, other.future):
            memory[:, hidden] = 1e3 * torch.randn_like(memory[:, hidden])
        assert torch.equal(other(past, windows.starts[query], rule), before)  # type: ignore[arg-type]
        other.future[:, seen] += 1
        assert not torch.allclose(other(past, windows.starts[query], rule), before)  # type: ignore[arg-type]


def test_a_query_that_may_see_nothing_has_the_forecast_of_the_net(make_net: MakeNet, windows: Windows) -> None:
    model = tuned(make_net, part(windows, 40, 60))
    past = tensor(windows.past[:3])
    assert torch.equal(model(past, windows.starts[:3]), model.net(past))


def test_every_parameter_gets_a_gradient(make_net: MakeNet, windows: Windows) -> None:
    model = tuned(make_net, part(windows, 0, 30))
    model(tensor(windows.past[60:64]), windows.starts[60:64]).square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_permuted_futures_are_the_same_futures(make_net: MakeNet, windows: Windows) -> None:
    model, control = tuned(make_net, part(windows, 0, 30)), tuned(make_net, part(windows, 0, 30))
    control.permute(0)
    assert torch.equal(control.past, model.past)
    assert not torch.equal(control.future, model.future)
    rows = {tuple(future) for future in model.future.transpose(0, 1).flatten(1).tolist()}
    assert rows == {tuple(future) for future in control.future.transpose(0, 1).flatten(1).tolist()}


def test_training_with_a_memory_lowers_the_error_and_saves_no_window(make_net: MakeNet, windows: Windows) -> None:
    model = seeded(1, lambda: TuneAndPlay(make_net(dropout=0.0), part(windows, 0, 40)))
    settings = TrainingSettings(epochs=3, batch=16, rate=3e-3)
    fitted = fit(model, part(windows, 0, 70), part(windows, 70, 80), settings)
    assert fitted.history[-1][0] < 0.7 * fitted.history[0][0]
    assert not {"past", "future"} & set(model.state_dict())


def test_algorithm_2_reaches_the_memory_too(make_net: MakeNet, windows: Windows) -> None:
    model = tuned(make_net, part(windows, 0, 30))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Alternation(model).step(tensor(windows.past[60:64]), windows.starts[60:64], "past")
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"association.kernel.weight", "association.kernel.bias"}


def test_windows_that_do_not_fit_are_refused(make_net: MakeNet, windows: Windows) -> None:
    for wrong in (part(windows, 0, 0), replace(windows, past=windows.past[:, :, :1], future=windows.future[:, :, :1])):
        with pytest.raises(SettingsError, match="do not fit"):
            TuneAndPlay(make_net(), wrong)
