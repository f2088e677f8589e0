"""What the sizes of a layer follow from."""

from __future__ import annotations

from torch import nn

from uhop_cli.nn import FeatureMap, Hopfield
from uhop_cli.nn.sizes import feature_size


def test_defaults() -> None:
    sizes = Hopfield(8, num_heads=2).sizes
    assert (sizes.hidden, sizes.pattern, sizes.output, sizes.stored, sizes.projection, sizes.packed) == (4, 4, 8, 8, 8, True)
    sizes = Hopfield(8, 3, 5, num_heads=2, pattern_size=2, stored_pattern_size=6, pattern_projection_size=7).sizes
    assert [sizes.shape(role) for role in ("state", "stored", "projection")] == [(6, 8), (6, 6), (4, 7)]
    assert not sizes.packed
    assert sizes.output == 5


def test_values_made_of_keys_take_all_heads() -> None:
    sizes = Hopfield(6, 4, num_heads=2, pattern_size=3, values="stored").sizes
    assert sizes.shape("projection") == (6, 8)


def test_static_patterns_give_the_size_of_the_space() -> None:
    assert Hopfield(8, stored_pattern_size=3, static=("stored",)).sizes.hidden == 3
    assert Hopfield(8, pattern_projection_size=3, static=("projection",)).sizes.pattern == 3
    assert Hopfield(8, kernel=FeatureMap(8, 12), static=("state", "stored")).sizes.hidden == 12


def test_features_of_kernels() -> None:
    assert feature_size(FeatureMap(3, 5)) == 5
    assert feature_size(nn.Linear(3, 7)) == 7
    assert feature_size(nn.ReLU()) is None
    assert Hopfield(4, kernel=nn.Sequential(nn.Linear(4, 4), nn.ReLU())).sizes.shape("state") == (4, 4)
