"""What the published code does otherwise, each by a case worked by hand."""

from __future__ import annotations

import torch

from uhop_cli.nn.stanhop import NetSettings, STanHopNet
from uhop_cli.nn.stanhop.blocks import TimeAndSeries, association
from uhop_cli.nn.stanhop.published import PublishedOverSeries


def settings(*published: str) -> NetSettings:
    return NetSettings(look_back=8, horizon=4, series=3, width=4, heads=2, hidden=4, dropout=0.0, published=published)


def test_heads_and_places_are_interchanged() -> None:
    plain, mixed = association(settings()), association(settings("heads"))
    mixed.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 4)
    with torch.no_grad():
        for layer in (plain, mixed):
            layer.out_proj.weight.copy_(torch.eye(4))  # type: ignore[union-attr]
        z = plain(x)[0]  # rows of places: [head 0: 2 values, head 1: 2 values]
        expected = torch.cat([z[:, :2].flatten(), z[:, 2:].flatten()]).reshape(3, 4)
        assert torch.allclose(mixed(x)[0], expected, atol=1e-6)
        assert not torch.allclose(mixed(x)[0], z, atol=1e-3)


def test_one_alpha_for_all_heads() -> None:
    ours, published = association(settings()), association(settings("alpha"))
    assert ours.alpha.shape == published.alpha.shape == (2,)  # type: ignore[union-attr]
    assert ours.alpha.tolist() == [1.5, 1.5]  # type: ignore[union-attr]
    with torch.no_grad():
        published.alpha_logit.fill_(1.0)  # type: ignore[union-attr]
    assert torch.allclose(published.alpha, torch.full((2,), 1 + 1 / (1 + torch.tensor(-1.0).exp())))  # type: ignore[arg-type]
    x = torch.randn(2, 3, 4)
    published(x).square().sum().backward()
    assert published.alpha_logit.grad.shape == (1,)  # type: ignore[union-attr]
    published.eval()
    with torch.no_grad():
        weights = published.associations(x)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 2, 3), atol=1e-5)


def test_series_look_up_memories_and_lose_what_came_in() -> None:
    layer = TimeAndSeries(settings("series")).over_series
    assert isinstance(layer, PublishedOverSeries)
    h = torch.randn(5, 3, 4)
    expected = layer.added.norm(layer.look_up(layer.memories, h) + layer.each_other(h))
    assert torch.allclose(layer(h), expected)
    with torch.no_grad():  # two associations that say nothing: ours would hand on h, the published one forgets it
        for part in (layer.look_up, layer.each_other):
            part.out_proj.weight.zero_()
    assert torch.equal(layer(h), torch.zeros_like(h))


def test_places_start_large() -> None:
    ours, published = STanHopNet(settings()), STanHopNet(settings("places"))
    assert ours.future_places.std() < 0.05
    assert published.future_places.std() > 0.5
    assert published.places.std() > 0.5
