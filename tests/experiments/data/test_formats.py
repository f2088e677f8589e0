"""The formats of the published sets, and files that only pretend to have them."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data import formats
from uhop_cli.experiments.data.formats import cifar_batch, read_cifar_archive, read_idx
from uhop_cli.experiments.data.plain_pickle import plain_pickle

ROWS = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)
BATCH = {"data": ROWS, "labels": [1, 2, 300, 70000], "filenames": ["a", "b"], "batch_label": "one of one"}


def python2_batch() -> bytes:
    """What Python 2 wrote: names and texts as byte strings, protocol 2, the array rebuilt by `_reconstruct`."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    raw = ROWS.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
        b"(K\x01(K\x04M\x00\x0ct"
        b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    )
    return b"\x80\x02}q\x01(" + text(b"data") + array + text(b"labels") + b"](K\x01K\x02K\x03K\x04eu."


@pytest.mark.parametrize("data", [python2_batch(), *(pickle.dumps(BATCH, protocol) for protocol in (2, 3, 4))])
def test_a_batch_of_any_python_gives_its_images(data: bytes) -> None:
    images = cifar_batch(data, "batch")
    assert images.shape == (4, 32, 32, 3)
    assert np.array_equal(images[2, 5, 7], ROWS[2].reshape(3, 32, 32)[:, 5, 7])


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(Path(os.environ["EVIL"])),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(
    protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVIL", str(tmp_path / "evil"))
    data = pickle.dumps({"data": Evil()}, protocol)
    with pytest.raises(DatasetError):
        cifar_batch(data, "batch")
    assert not (tmp_path / "evil").exists()
    pickle.loads(data)  # it would have
    assert (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02}.",
        b"\x80\x02]q\x01h\x01a.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nndarray\n(K\x05tR.",  # a call of an allowed name, with what it is not called with
        b"\x80\x05\x96\x00\x00\x00\x00\xff\xff\xff\x7f.",  # a byte array of petabytes
        b"\x80\x02T\xff\xff\xff\x7fabc.",  # a string longer than the file
        b"\x80\x02K\x01r\xff\xff\xff\x7f.",  # a memo of two thousand million places
        b"\x80\x02" + b"(" * 100_000 + b"t" * 99_999 + b".",
        pickle.dumps({"data": np.zeros((2, 3072), object)}, 2),
        pickle.dumps({"data": np.zeros((2, 3071), np.uint8)}, 2),
        pickle.dumps({"data": np.zeros((2, 3072), np.float32)}, 2),
        pickle.dumps({"data": b"12"}, 2),
    ],
)
def test_a_hostile_or_foreign_pickle_is_refused(data: bytes) -> None:
    with pytest.raises(DatasetError):
        cifar_batch(data, "batch")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_a_flipped_bit_ends_in_an_error_or_in_images(place: int) -> None:
    data = bytearray(python2_batch())
    head = 250  # most of the file is pixels; the instructions are at its ends
    index = place // 8 % (2 * head)
    data[index if index < head else index - 2 * head] ^= 1 << place % 8
    with contextlib.suppress(DatasetError):
        assert cifar_batch(bytes(data), "batch").shape[1:] == (32, 32, 3)


def test_plain_data_comes_back() -> None:
    value = {"a": [1, 2, (3, "x"), None, True], "b": {"c": b"bytes"}, 7: ()}
    assert plain_pickle(pickle.dumps(value, 4), "value") == value


def archive(path: Path, names: list[str], data: bytes) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_an_archive_is_read_in_the_order_of_the_batches(tmp_path: Path) -> None:
    path = archive(tmp_path / "c.tar.gz", ["readme.html", "b2", "b1"], pickle.dumps(BATCH, 2))
    assert [batch.shape for batch in read_cifar_archive(path, ["b1", "b2"], cifar_batch)] == [(4, 32, 32, 3)] * 2
    with pytest.raises(DatasetError, match="lacks b3"):
        read_cifar_archive(path, ["b1", "b3"], cifar_batch)
    (tmp_path / "cut.tar.gz").write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DatasetError):
        read_cifar_archive(tmp_path / "cut.tar.gz", ["b1", "b2"], cifar_batch)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.tar.gz", "cut.tar.gz"]


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "bomb.tar.gz", ["b1"], bytes(1 << 20))
    monkeypatch.setattr(formats, "LARGEST_ARCHIVE", 1 << 16)
    with pytest.raises(DatasetError, match="more than it should"):
        read_cifar_archive(path, ["b2"], cifar_batch)


@pytest.mark.parametrize("packed", [True, False])
def test_an_idx_file_gives_its_images(tmp_path: Path, packed: bool) -> None:
    images = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    data = struct.pack(">IIII", 0x803, 2, 3, 5) + images.tobytes()
    path = tmp_path / ("x.gz" if packed else "x")
    path.write_bytes(gzip.compress(data) if packed else data)
    assert np.array_equal(read_idx(path)[..., 0], images)
    for bad in (data[:-1], data + b"x", data[:10], b"", struct.pack(">IIII", 0x801, 2, 3, 5), b"\0\0\x08\x03" + b"\xff" * 12):
        path.write_bytes(gzip.compress(bad) if packed else bad)
        with pytest.raises(DatasetError):
            read_idx(path)


def test_a_file_that_unpacks_to_too_much_or_is_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "LARGEST_FILE", 1000)
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(1001)))
    with pytest.raises(DatasetError, match="too large"):
        read_idx(tmp_path / "x.gz")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DatasetError, match="not a regular file"):
        read_idx(tmp_path / "pipe")
