"""The examples of docs/layers.md run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "layers.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_block(block: str) -> None:
    names: dict[str, Any] = {}
    torch.manual_seed(0)
    exec(compile(block, str(PAGE), "exec"), names)
    if "restored" in names:
        assert (names["restored"] - names["memories"]).abs().max() < 1e-3
        assert names["weights"].diagonal().min() > 0.99


def test_there_are_examples() -> None:
    assert len(BLOCKS) == 3
