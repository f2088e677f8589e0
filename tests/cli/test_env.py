"""`uhop env`."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest


def test_it_says_what_is_installed_and_where(uhop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UHOP_DATA_DIR", "/data\x1b[31m")
    document = json.loads(uhop("env", "--json").out)
    assert document["schema"] == "uhop.env/1"
    assert document["packages"]["numpy"] == np.__version__
    assert document["packages"]["pillow"] == version("pillow")
    assert document["devices"][0] == "cpu"
    assert document["cores"] == os.cpu_count()
    assert document["threads"] <= document["cores"]
    assert document["memory_available"] > 0
    assert document["environment"]["UHOP_DATA_DIR"] == "/data\\x1b[31m"
    assert document["paths"]["data"] == "/data\\x1b[31m"
    assert all({"internal_api", "num_threads"} <= library.keys() for library in document["blas"])


def test_what_is_not_installed_is_said(uhop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from uhop_cli.cli import env

    monkeypatch.setattr(env, "EXTRAS", ("no-such-package",))
    ran = uhop("env")
    assert "no-such-package not installed" in ran.out
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80
