"""Start-up, exit codes, and the two lines of an error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import uhop_cli
from uhop_cli.cli import app as app_module

HEAVY = ("torch", "numpy", "PIL", "rich", "safetensors", "scipy")
PROBE = f"""
import sys
from uhop_cli.cli.app import run
code = run(sys.argv[1:])
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        ([], 0),
        (["store", "--help"], 0),
        (["query", "-h"], 0),
        (["info", "--help"], 0),
        (["store", "nowhere"], 1),
        (["query", "nowhere.png"], 1),
        (["query", "--mask-file", "nowhere.png", "."], 1),
        (["query", "."], 1),  # there is no memory file
        (["info", "nowhere.safetensors"], 1),
        (["store"], 2),
        (["store", ".", "--size", "large"], 2),
        (["store", ".", "--device", "tpu"], 2),
        (["query", ".", "--separation", "hardmax"], 2),
        (["query", ".", "--mask", "2"], 2),
        (["forget"], 2),
    ],
)
def test_help_and_errors_before_work_load_no_array_library(arguments: list[str], code: int, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, cwd=tmp_path, env=_environment()
    )
    assert ran.returncode == code, ran.stderr
    lines = ran.stderr.splitlines()
    assert lines[-1] == "[]"
    if code:
        assert ran.stdout == ""
        assert [line.partition(":")[0] for line in lines[:-1]] == ["error", "hint"]
    else:
        assert len(lines) == 1


def test_the_version_is_that_of_the_package(uhop: Any) -> None:
    assert uhop("--version").out == f"uhop {uhop_cli.__version__}\n"


def test_python_m_is_the_command() -> None:
    ran = subprocess.run([sys.executable, "-m", "uhop_cli", "--version"], capture_output=True, text=True, env=_environment())
    assert (ran.returncode, ran.stdout) == (0, f"uhop {uhop_cli.__version__}\n")


def test_names_in_errors_are_escaped(uhop: Any) -> None:
    ran = uhop("store", "no\x1b[31mwhere")
    assert ran.code == 1
    assert ran.err.startswith("error: no\\x1b[31mwhere: ")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (MemoryError(), 1, "error: there is not enough memory"),
        (PermissionError(13, "Permission denied", "a\nb"), 1, "error: a\\nb: Permission denied"),
        (ValueError("odd"), 1, "error: unexpected ValueError: odd"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_what_commands_raise_becomes_one_line(
    error: BaseException, code: int, line: str, uhop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "_drop_stdout", lambda: None)
    monkeypatch.setattr(app_module, "_flush", lambda: (_ for _ in ()).throw(error))
    ran = uhop("--version")
    assert ran.code == code
    assert ran.err.startswith(line)
    assert "Traceback" not in ran.err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "uhop_cli", "info", str(tmp_path / "none"), "--debug"]
    ran = subprocess.run(line, capture_output=True, text=True, env=_environment())
    assert ran.returncode == 1
    assert "Traceback" in ran.stderr
    assert "MemoryFileError" in ran.stderr


def test_a_reader_that_leaves_early_is_no_error(memory: Path) -> None:
    line = f'{sys.executable} -m uhop_cli info "{memory}" --list | head -1'
    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=_environment())
    assert ran.stderr == ""
    assert len(ran.stdout.splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_told(memory: Path) -> None:
    with open("/dev/full", "w") as full:
        line = [sys.executable, "-m", "uhop_cli", "info", str(memory)]
        ran = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, env=_environment())
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr


def test_a_closed_stdout_does_no_harm(memory: Path) -> None:
    line = f'{sys.executable} -m uhop_cli info "{memory}" >&-'
    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=_environment())
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing_half_written(number: signal.Signals, code: int, stored: Path, tmp_path: Path) -> None:
    target = tmp_path / "memory.safetensors"
    target.write_bytes((stored / "memory.safetensors").read_bytes())
    before = target.read_bytes()
    # The signal arrives from inside, at a moment when the new file is being written.
    script = f"""
import os, sys
from uhop_cli.storing import assemble
from uhop_cli.cli.app import run
def interrupted(*arguments, **keywords):
    assert any(name.endswith(".tmp") for name in os.listdir({str(tmp_path)!r}))
    os.kill(os.getpid(), {int(number)})
    raise AssertionError("the signal did not arrive")
assemble.learn_memory = interrupted
sys.exit(run(["store", {str(stored / "images")!r}, "-m", {str(target)!r}, "--force"]))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=_environment())
    assert ran.returncode == code, ran.stderr
    assert ran.stderr.startswith("error: interrupted")
    assert "Traceback" not in ran.stderr
    assert os.listdir(tmp_path) == [target.name]
    assert target.read_bytes() == before


def test_an_interrupt_does_not_wait_for_originals_on_a_slow_disk(stored: Path, tmp_path: Path) -> None:
    """Ctrl-C, while a read of an original takes an hour."""
    query = tmp_path / "query.png"
    Image.open(stored / "images" / "picture0.png").resize((100, 100)).save(query)
    script = f"""
import os, signal, sys, time
from uhop_cli.memory import originals
from uhop_cli.cli.app import run
def slow(*arguments):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(3600)
originals._read = slow
sys.exit(run(["query", {str(query)!r}, {str(query)!r}, "-m", {str(stored / "memory.safetensors")!r}, "--no-output"]))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=_environment(), timeout=100)
    assert ran.returncode == 130, ran.stderr
    assert ran.stderr.startswith("error: interrupted")


def _environment() -> dict[str, str]:
    root = str(Path(uhop_cli.__file__).parents[1])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UHOP_", "COV"))}
    return {**kept, "PYTHONPATH": root}


@pytest.mark.parametrize("arguments", [("query", ""), ("store", "x", "--memory="), ("info", "")])
def test_an_empty_argument_is_no_path(uhop: Any, arguments: tuple[str, ...]) -> None:
    ran = uhop(*arguments)
    assert ran.code == 2
    assert "empty" in ran.err


@pytest.mark.parametrize("size", ["inf", "nan", "1.5"])
def test_sizes_that_are_no_numbers_of_memories_are_refused(uhop: Any, size: str) -> None:
    ran = uhop("bench", "--sizes", size)
    assert ran.code == 2
    assert "unexpected" not in ran.err


def test_every_error_has_a_hint(uhop: Any, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"x")
    ran = uhop("info", tmp_path / "a.safetensors")
    assert ran.code == 1
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["error", "hint"]


def test_the_command_that_is_run_is_loaded_alone() -> None:
    """As loading all takes as long again."""
    code = """
import sys
from uhop_cli.cli.app import run
run(["store", "--help"])
sys.exit("uhop_cli.cli.bench" in sys.modules or "uhop_cli.cli.store" not in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
