"""The blocks against their equations, step by step."""

from __future__ import annotations

import torch
from torch import Tensor

from uhop_cli.nn.stanhop import NetSettings
from uhop_cli.nn.stanhop.blocks import Merge, OverSeries, TimeAndSeries, padded_left


def settings(**more: object) -> NetSettings:
    sizes = {"look_back": 12, "horizon": 6, "series": 3, "width": 4, "heads": 2, "hidden": 5, "patterns": 2, "dropout": 0.0}
    return NetSettings(**(sizes | more))  # type: ignore[arg-type]


def naive(block: TimeAndSeries, h: Tensor) -> Tensor:
    """STHM of one sample (C, n, d), series after series, then moment after moment."""

    def perceptron(part: torch.nn.Module, x: Tensor) -> Tensor:
        first, gelu, last = part.layers
        return part.added.norm(x + last(gelu(first(x))))  # type: ignore[no-any-return]

    rows = []
    for series in h:
        x = series[None]
        x = block.time_added.norm(x + block.over_time(x))
        rows.append(perceptron(block.time_perceptron, x)[0])
    h = torch.stack(rows)
    columns = []
    for moment in h.unbind(1):
        x = moment[None]
        pooled = block.over_series.pool.hopfield(x, block.over_series.pool.pooling_weights)
        x = block.over_series.added.norm(x + block.over_series.look_up(pooled, x))
        columns.append(perceptron(block.series_perceptron, x)[0])
    return torch.stack(columns, dim=1)


def test_time_and_series_is_what_its_equations_say() -> None:
    block = TimeAndSeries(settings(kernel=True))
    h = torch.randn(2, 3, 5, 4)
    out = block(h)
    assert out.shape == h.shape
    for sample, expected in zip(out, h, strict=True):
        assert torch.allclose(sample, naive(block, expected), atol=1e-5)


def test_series_meet_in_as_many_patterns_as_there_are_states() -> None:
    layer = OverSeries(settings(patterns=2))
    seen: list[torch.Size] = []
    layer.look_up.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape))
    assert layer(torch.randn(5, 3, 4)).shape == (5, 3, 4)
    assert seen == [(5, 2, 4)]


def test_an_incomplete_group_repeats_the_last_token() -> None:
    h = torch.arange(1.0, 6.0).reshape(1, 1, 5, 1).expand(1, 1, 5, 4)
    corrected = Merge(settings(merge=4)).grouped(h)[0, 0, :, ::4]
    published = Merge(settings(merge=4, published=("padding",))).grouped(h)[0, 0, :, ::4]
    assert corrected.tolist() == [[1, 2, 3, 4], [5, 5, 5, 5]]
    assert published.tolist() == [[1, 2, 3, 4], [5, 3, 4, 5]]
    whole = torch.randn(2, 3, 4, 4)
    assert torch.equal(Merge(settings(merge=2)).grouped(whole), whole.reshape(2, 3, 2, 8))


def test_the_first_value_is_repeated_in_front() -> None:
    x = torch.tensor([[[7.0, 8.0, 9.0]]])
    assert padded_left(x, 5).tolist() == [[[7, 7, 7, 8, 9]]]
    assert padded_left(x, 3).tolist() == x.tolist()
