"""Codes of pictures, and when there are any."""

from __future__ import annotations

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
    assert one.encode(small.reshape(50, -1)).shape == (10, 50)


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
