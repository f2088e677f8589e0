"""Where nets are trained and kept."""

from __future__ import annotations

from pathlib import Path

from uhop_cli.experiments.surroundings import Surroundings


def test_nets_are_kept_where_there_is_a_folder(tmp_path: Path) -> None:
    assert Surroundings().net_file("a") is None
    file = Surroundings(tmp_path).net_file("a")
    assert file == tmp_path / "nets" / "a.safetensors"
    assert file.parent.is_dir()


def test_small_work_stays_on_the_cpu() -> None:
    assert Surroundings().torch_device(1.0) == "cpu"
    assert Surroundings(device="torch-cpu").torch_device(1e15) == "cpu"
    assert Surroundings(device="cpu").torch_device(1e15) == "cpu"
