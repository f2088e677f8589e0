"""What a store will need: more for more, at least what the arrays take, and refused where it is not there."""

from __future__ import annotations

import pytest

from uhop_cli.errors import ResourceError
from uhop_cli.images import decode
from uhop_cli.images.decode import decoding_threads
from uhop_cli.storing import needs
from uhop_cli.storing.needs import check_memory, memory_needed
from uhop_cli.storing.settings import StoreSettings


@pytest.mark.parametrize("settings", [StoreSettings(), StoreSettings(solver="gradient"), StoreSettings(feature_dim=64)])
def test_more_values_need_more(settings: StoreSettings) -> None:
    assert memory_needed(100, 3072, settings) < memory_needed(2000, 3072, settings) < memory_needed(2000, 12288, settings)


def test_it_covers_the_largest_arrays() -> None:
    matrix = 8 * 3072 * 3072
    assert memory_needed(5000, 3072, StoreSettings()) > 4 * matrix  # the second moment, its eigenvectors and their workspace
    weight = 4 * 12288 * 12288
    assert memory_needed(500, 12288, StoreSettings(solver="gradient")) > 4 * weight
    assert memory_needed(500, 12288, StoreSettings(solver="gradient", feature_dim=64)) < weight + needs.BASE


def test_what_does_not_fit_is_refused_with_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "available_memory", lambda: 2_000_000_000)
    check_memory(5000, 3072, StoreSettings())
    with pytest.raises(ResourceError, match=r"5000 patterns of 12288 values needs about \d+\.\d GB of memory; 2\.0 GB are free"):
        check_memory(5000, 12288, StoreSettings(solver="gradient"))


def test_little_memory_gets_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode.os, "cpu_count", lambda: 8)
    for memory, threads in ((0, 1), (1 << 30, 2), (1 << 40, 8)):
        monkeypatch.setattr(decode, "available_memory", lambda memory=memory: memory)
        assert decoding_threads() == threads
