"""What is to be stored: files, arrays, and what is neither."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.errors import ImageError
from uhop_cli.images.decode import Header
from uhop_cli.storing.sources import ROWS_TOGETHER, collect, headers


def test_files_come_before_rows_and_an_array_has_one_header(tmp_path: Path) -> None:
    Image.new("RGB", (5, 6)).save(tmp_path / "a.png")
    Image.new("RGB", (5, 6), "red").save(tmp_path / "b.png")
    np.save(tmp_path / "c.npy", np.zeros((ROWS_TOGETHER + 1, 8, 7), np.uint8))
    sources, _ = collect([tmp_path / "c.npy", tmp_path / "a.png", tmp_path / "b.png"], tmp_path)
    assert len(sources) == ROWS_TOGETHER + 3
    assert [len(group) for group in sources.groups()] == [2, ROWS_TOGETHER, 1]
    assert [len(group) for group in sources.groups(1)] == [1] * len(sources)
    names = [source.name for source in sources]
    assert names[:3] == [b"a.png", b"b.png", b"c.npy[0]"]
    assert names[-1] == b"c.npy[%d]" % ROWS_TOGETHER
    assert headers(sources) == {Header(7, 8, True, False): ROWS_TOGETHER + 1, Header(5, 6, False, False): 2}


def test_rows_are_bytes_or_floats_from_0_to_1(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.array([[[0.0, 1.0]], [[0.5, 2.0]]]))
    first, second = collect([tmp_path / "f.npy"], tmp_path)[0]
    image = first.image(first.read(), (2, 1))
    assert image.pixels.tolist() == [[[0], [255]]]
    assert image.alpha is None
    with pytest.raises(ImageError, match="outside"):
        second.read()


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2, 2), (0, 2, 2)])
def test_other_arrays_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(shape, np.uint8))
    with pytest.raises(ImageError, match="shape"):
        collect([tmp_path / "x.npy"], tmp_path)


def test_what_is_no_array_is_told_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "zero.npy").symlink_to("/dev/zero")
    (tmp_path / "none.npy").write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'descr': [[[[[")
    (tmp_path / "folder.npy").mkdir()
    np.save(tmp_path / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    with (tmp_path / "archive.npy").open("wb") as file:
        np.savez(file, a=np.zeros((2, 4, 4)))
    with (tmp_path / "wide.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (1, 1, 70_000)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(70_000))
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(ImageError, match=path.name):
            collect([path], tmp_path)
