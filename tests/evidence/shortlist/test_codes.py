"""Codes of pictures, and when there are any."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from uhop_cli.evidence.shortlist import codes as module
from uhop_cli.evidence.shortlist.codes import WIDTH, Coder, compact_codes
from uhop_cli.images.patterns import PatternSpec


def test_a_code_is_unit_vectors_and_shares_of_the_length(coder: Coder, codes: np.ndarray) -> None:
    assert codes.shape == (WIDTH, 3000)
    assert codes.dtype == np.float32
    assert coder.blocks == 4
    np.testing.assert_allclose(np.linalg.norm(codes[:-4].reshape(4, -1, 3000), axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(codes[-4:], axis=0), 1, rtol=1e-5)


def test_brightness_and_contrast_leave_a_code_as_it_is(coder: Coder, patterns: np.ndarray, codes: np.ndarray) -> None:
    np.testing.assert_allclose(coder.encode(0.3 * patterns[:9] + 0.5), codes[:, :9], atol=1e-4)


def test_a_plain_picture_and_a_small_one_have_codes(coder: Coder) -> None:
    assert not coder.encode(np.zeros((1, 768), np.float32)).any()
    assert np.isfinite(coder.encode(np.full((1, 768), 0.5, np.float32))).all()
    small = np.random.default_rng(0).random((50, 3, 3, 1), dtype=np.float32)
    one = Coder.learn(small, (3, 3, 1))
    assert one.blocks == 1
    assert one.encode(small.reshape(50, -1)).shape == (9, 50)  # 8 directions of 9 values less their mean, and a share


def test_a_code_by_hand() -> None:
    """Along the directions (1, 1, -1, -1) / 2, (1, -1, 1, -1) / 2 and (1, -1, -1, 1) / 2 the pictures have +-.3, +-.2 and +-.1.

    So the variances are v = .09, .04 and .01, rho is their sum / 3, .0467, and brightness, which varies by as much, counts in none.
    """
    directions = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / 2
    signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    brightness = 0.5 + 0.15 * signs[:, :1] * signs[:, 1:2]
    pictures = (brightness + signs * (0.3, 0.2, 0.1) @ directions).astype(np.float32)
    coder = Coder.learn(pictures.reshape(8, 2, 2, 1), (2, 2, 1))
    np.testing.assert_allclose(coder.powers, [[0.09 + 0.14 / 3, 0.04 + 0.14 / 3, 0.01 + 0.14 / 3]], rtol=1e-5)
    asked = (0.4 + np.array([[0.2, -0.1, 0], [0, 0, 0.05]]) @ directions).astype(np.float32)
    unit, shares = coder.split(asked)
    z = np.array([0.2 / math.sqrt(0.09 + 0.14 / 3), 0.1 / math.sqrt(0.04 + 0.14 / 3), 0])
    np.testing.assert_allclose(np.abs(unit[:, 0]), [z / np.linalg.norm(z), [0, 0, 1]], atol=1e-5)
    np.testing.assert_allclose(shares, [[1], [1]], rtol=1e-6)


def test_codes_are_made_of_memories_that_are_many(make_memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = make_memory(patterns=30, files=30, spec=PatternSpec(8, 8, 3))
    assert compact_codes(memory.spec, memory.patterns, 0) is None
    monkeypatch.setattr(module, "WORTH", 30 * 192)
    found = compact_codes(memory.spec, memory.patterns, 0)
    assert found is not None
    codes, directions = found
    assert codes.shape[1] == 30
    assert directions.shape[1] == 192
    monkeypatch.setattr(module, "WORTH", 30 * 192 + 1)
    assert compact_codes(memory.spec, memory.patterns, 0) is None
    monkeypatch.setattr(module, "WORTH", 30 * 192)
    monkeypatch.setattr(module, "LARGE", 191)
    assert compact_codes(memory.spec, memory.patterns, 0) is None
