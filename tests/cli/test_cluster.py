"""`--cluster` on the command line: what makes no sense is refused before anything heavy is loaded."""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from uhop_cli.api import learn
from uhop_cli.cluster import for_memory
from uhop_cli.memory.file.reader import save
from uhop_cli.memory.file.shard_writer import write_shards


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, draw: Any) -> Path:
    """A folder with pictures and a memory of them, in one file and in shards."""
    folder = draw(tmp_path_factory.mktemp("stored"), count=5)
    pictures = sorted(folder.glob("*.png"))
    memory = learn([str(path) for path in pictures], names=[path.name for path in pictures], self_test=False)
    save(memory, folder / "one.safetensors")
    write_shards(memory, folder / "four.safetensors", 4)
    return folder


def _query(uhop: Any, stored: Path, *more: object) -> Any:
    return uhop("query", stored / "picture1.png", "-m", stored / "four.safetensors", "--no-output", "--frames", "same", *more)


@pytest.mark.parametrize("address", ["local:0", "local:x", "http://somewhere:80", "a b"])
def test_what_is_no_address_is_a_usage_error(uhop: Any, stored: Path, address: str) -> None:
    ran = _query(uhop, stored, "--cluster", address)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 2


def test_one_file_has_no_shards_to_share(uhop: Any, stored: Path) -> None:
    ran = uhop("query", stored / "picture1.png", "-m", stored / "one.safetensors", "--no-output", "--cluster", "local:2")
    assert ran.code == 2
    assert "one.safetensors is one file" in ran.err.replace("\n", " ")
    assert "--shards N" in ran.err


@pytest.mark.parametrize("named", ["option", "environment"])
def test_without_dask_one_line_and_the_cure(uhop: Any, stored: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    if named == "environment":
        monkeypatch.setenv("UHOP_CLUSTER", "local:2")
    ran = _query(uhop, stored, *(("--cluster", "local:2") if named == "option" else ()))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "error: --cluster needs Dask, which is not installed", "hint: pip install 'uhop-cli[cluster]'",
    ]  # fmt: skip


def test_a_query_says_what_went_over_the_wire(uhop: Any, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from uhop_cli.cluster.worker import Desk

    class Actor:
        """What is asked of it is done at once, by one desk: it keeps what the last question was about."""

        def __init__(self) -> None:
            self.desk = Desk()

        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: SimpleNamespace(result=lambda timeout: getattr(self.desk, name)(*arguments))

    class Client:
        status = "running"

        def nthreads(self) -> dict[str, int]:
            return {"a": 1}

        def as_current(self) -> Any:
            return nullcontext()

        def submit(self, function: Any, **_: Any) -> Any:
            return SimpleNamespace(
                status="finished", result=Actor, exception=lambda: None, add_done_callback=lambda told: told(None)
            )

    @contextmanager
    def connected(address: str) -> Any:
        yield Client()

    monkeypatch.setattr(for_memory, "connected", connected)
    plain = json.loads(_query(uhop, stored, "--json").out)["results"]
    assert json.loads(_query(uhop, stored, "--cluster", "x:1", "--json").out)["results"] == plain
    told = _query(uhop, stored, "--cluster", "x:1", "-v").out
    assert "cluster: 1 worker, 4 shards; " in told
    assert re.search(r"shards; \S+ \w+ a query to them, \S+ \w+ back, \S+ \w+ of it proposals\n", told)


@pytest.mark.parametrize("given", [("--cluster", "local:0"), ("--cluster", "local:2", "--experiment", "forecast")])
def test_a_bench_elsewhere_that_makes_no_sense(uhop: Any, given: tuple[str, ...]) -> None:
    ran = uhop("bench", *given)
    assert (ran.code, ran.out) == (2, "")
    assert "cluster" in ran.err


def test_a_cluster_of_the_environment_is_for_what_has_shards(uhop: Any, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UHOP_CLUSTER", "local:2")
    ran = uhop("query", stored / "picture1.png", "-m", stored / "one.safetensors", "--no-output", "--frames", "same", "-q")
    assert ran.code == 0
    assert ran.out.strip().endswith("picture1.png")


@pytest.mark.parametrize("given", [(), ("--remove", "picture1.png")])
def test_a_store_elsewhere_that_would_do_nothing(uhop: Any, stored: Path, tmp_path: Path, given: tuple[str, ...]) -> None:
    paths = () if given else (stored / "picture1.png",)
    ran = uhop("store", *paths, "-m", tmp_path / "m.safetensors", *given, "--cluster", "local:2")
    assert (ran.code, ran.out) == (2, "")
    assert "cluster" in ran.err


def test_a_cluster_of_the_environment_stores_no_single_file(
    uhop: Any, stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UHOP_CLUSTER", "nobody:1")
    assert uhop("store", stored / "picture1.png", "-m", tmp_path / "m.safetensors", "--self-test", "off", "-q").code == 0
