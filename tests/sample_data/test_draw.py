"""The committed sample pictures are what the script draws."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.experiments.data.samples import sample_data

SAMPLES = sample_data()
SCRIPT = Path(__file__).parents[2] / "sample_data" / "draw.py"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    subprocess.run([sys.executable, SCRIPT, folder], check=True)
    return folder


@pytest.mark.parametrize("kind", ["images", "damaged"])
def test_the_script_draws_the_committed_files(drawn: Path, kind: str) -> None:
    committed = sorted(path.name for path in (SAMPLES / kind).iterdir())
    assert committed == sorted(path.name for path in (drawn / kind).iterdir())
    for name in committed:
        with Image.open(SAMPLES / kind / name) as kept, Image.open(drawn / kind / name) as new:
            assert kept.mode == new.mode
            np.testing.assert_array_equal(np.asarray(kept), np.asarray(new), err_msg=name)


def test_there_are_enough_of_them_and_they_are_small() -> None:
    images, damaged = list((SAMPLES / "images").glob("*.png")), list((SAMPLES / "damaged").glob("*.png"))
    assert len(images) >= 30
    assert len(damaged) >= 8
    assert sum(path.stat().st_size for path in images + damaged) < 400_000


def test_every_damaged_picture_names_its_original() -> None:
    for path in (SAMPLES / "damaged").iterdir():
        assert (SAMPLES / "images" / f"{path.stem.split('_')[0]}.png").is_file(), path.name
