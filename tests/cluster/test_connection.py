"""Connecting to a cluster: what is an address, what is said where there is none, and one real cluster of two processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.cluster.connection import QUIET, check, connected
from uhop_cli.cluster.shards import Traffic, on_cluster
from uhop_cli.errors import ClusterError, SettingsError
from uhop_cli.memory.file.index import index_of, read_index
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.file.shard_writer import write_shards
from uhop_cli.querying.retriever import Retriever


@pytest.mark.parametrize("address", ["local:1", "local:64", "10.0.0.1:8786", "tcp://node:8786", "tls://a.b.c:1", "scheduler"])
def test_addresses(address: str) -> None:
    check(address)


@pytest.mark.parametrize("address", ["", "local:0", "local:65", "local:", "local:two", "http://x:1", "a b:1", "x:1/../y", "tcp://"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError):
        check(address)


def test_without_dask_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError) as caught, connected("local:2"):
        pass
    assert (caught.value.message, caught.value.hint) == (
        "--cluster needs Dask, which is not installed", "pip install 'uhop-cli[cluster]'",
    )  # fmt: skip


def test_no_other_command_imports_dask() -> None:
    code = """
import sys
import uhop_cli.querying.restorer, uhop_cli.storing.store
from uhop_cli.cli.app import application
application()
sys.exit('dask' in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.filterwarnings("default")
def test_two_processes_answer_as_one(tmp_path: Path, make_memory: Any) -> None:
    pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    write_shards(make_memory(patterns=9, files=9, features=3), tmp_path / "m.safetensors", 3)
    index = read_index(index_of(tmp_path / "m.safetensors"))
    memory, traffic = load(index.path), Traffic()
    asked = np.random.default_rng(0).random((3, memory.spec.dim), np.float32)
    with connected("local:2") as client:
        found = Retriever(memory, asker=on_cluster(client, index, "cpu", traffic)).retrieve(asked)
        assert len(client.scheduler_info()["workers"]) == 2
        settings = client.run(lambda: {name: dask.config.get(name) for name in QUIET})
        assert list(settings.values()) == [QUIET] * 2
    assert all(dask.config.get(name) != value for name, value in QUIET.items())  # theirs alone
    np.testing.assert_array_equal(found.weights, Retriever(memory).retrieve(asked).weights)
    assert traffic.received > 0
