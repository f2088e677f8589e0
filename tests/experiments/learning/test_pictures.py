"""Patches, and which pictures are used for what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.data.class_folders import Labelled
from uhop_cli.experiments.data.labelled import LabelledSet
from uhop_cli.experiments.learning.pictures import Pictures, patches


def test_patches_are_cut_row_by_row() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    found = patches(pixels, 2)
    assert found.shape == (2, 6, 12)
    for index in range(2):
        for row in range(2):
            for column in range(3):
                expected = pixels[index, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].ravel()
                assert np.array_equal(found[index, 3 * row + column], expected)
    for wrong in ((1, 4, 5, 3), (1, 5, 4, 3)):
        with pytest.raises(SettingsError, match="not to be cut"):
            patches(np.zeros(wrong, np.uint8), 2)


def test_a_subset_is_drawn_by_its_seed_and_lies_in_the_larger(data: LabelledSet) -> None:
    pictures = Pictures(data, "cpu")
    small, large, other = pictures.subset(30, 1), pictures.subset(60, 1), pictures.subset(30, 2)
    assert len(np.unique(large)) == 60
    assert np.array_equal(small, large[:30])
    assert set(small) != set(other)
    assert len(pictures.subset(120, 1)) == 120
    with pytest.raises(SettingsError, match="120 training pictures, not 121"):
        pictures.subset(121, 1)


@pytest.mark.usefixtures("few")
def test_a_rate_is_chosen_on_other_training_pictures(data: LabelledSet) -> None:
    training, held_out = Pictures(data, "cpu").choice(7)
    assert (len(training), len(held_out)) == (40, 30)
    assert not set(training) & set(held_out)
    half = replace(data, train=Labelled(data.train.pixels[:20], data.train.labels[:20]))
    training, held_out = Pictures(half, "cpu").choice(7)
    assert (len(training), len(held_out)) == (10, 10)


def test_tokens_are_standardised_by_all_training_pictures(data: LabelledSet) -> None:
    pictures = Pictures(data, "cpu")
    everything, _ = pictures.train(np.arange(120), 8).inputs(slice(None))
    channels = everything.reshape(-1, 3)
    assert channels.mean(dim=0).abs().max() < 1e-4
    assert (channels.std(dim=0) - 1).abs().max() < 1e-3
    test = pictures.test(16)
    assert test.tokens.shape == (60, 1, 768)
    values = data.train.pixels.reshape(-1, 3) / 255
    expected = (data.test.pixels[5].reshape(-1, 3) / 255 - values.mean(axis=0)) / values.std(axis=0)
    assert np.allclose(test.inputs(slice(5, 6))[0].reshape(-1, 3), expected, atol=1e-4)
    assert np.array_equal(test.labels, data.test.labels)
    part = pictures.train(np.array([3, 7]), 8)
    assert part.labels.tolist() == data.train.labels[[3, 7]].tolist()


def test_a_channel_without_contrast_is_left_as_it_is() -> None:
    flat = Labelled(np.full((4, 8, 8, 3), 51, np.uint8), np.array([0, 1, 0, 1]))
    tokens, _ = Pictures(LabelledSet("flat", flat, flat, ""), "cpu").test(8).inputs(slice(None))
    assert tokens.abs().max() < 1e-6
