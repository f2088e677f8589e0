"""Downloads, from a server on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data.download import download
from uhop_cli.experiments.data.published import PUBLISHED, PublishedFile
from uhop_cli.progress import Progress

DATA = bytes(range(256)) * 4000
FILE = PublishedFile("data.bin", hashlib.md5(DATA, usedforsecurity=False).hexdigest(), len(DATA))


class Handler(BaseHTTPRequestHandler):
    """/good serves with ranges, /plain without, /cut breaks off in the middle, /wrong serves something else."""

    asked: list[tuple[str, str | None]] = []  # noqa: RUF012  one list for the class is what the test reads

    def do_GET(self) -> None:
        mirror, span = self.path.split("/")[1], self.headers.get("Range")
        self.asked.append((mirror, span))
        start = int(span[6:-1]) if span and mirror in ("good", "cut") else 0
        body = DATA[start:] if mirror != "wrong" else DATA[::-1]
        if mirror == "missing":
            self.send_error(404)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if mirror == "cut" else body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_file_arrives_whole_with_progress(server: str, tmp_path: Path) -> None:
    seen: list[Progress] = []
    path = download(FILE, tmp_path / "new", [server + "good/"], seen.append)
    assert path.read_bytes() == DATA
    assert [p.name for p in path.parent.iterdir()] == ["data.bin"]
    assert (seen[-1].done, seen[-1].total) == (len(DATA), len(DATA))


def test_what_has_come_is_kept_and_gone_on_from(server: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="broke off"):
        download(FILE, tmp_path, [server + "cut/"])
    half = (tmp_path / "data.bin.part").stat().st_size
    assert 0 < half < len(DATA)
    assert download(FILE, tmp_path, [server + "good/"]).read_bytes() == DATA
    assert Handler.asked[-1] == ("good", f"bytes={half}-")


def test_a_server_without_ranges_begins_anew(server: str, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(b"x" * 1000)
    assert download(FILE, tmp_path, [server + "plain/"]).read_bytes() == DATA


@pytest.mark.parametrize("part", [b"", b"x" * 1000, b"x" * len(DATA), b"x" * (len(DATA) + 1)])
def test_a_foreign_beginning_does_not_survive(server: str, tmp_path: Path, part: bytes) -> None:
    (tmp_path / "data.bin.part").write_bytes(part)
    assert download(FILE, tmp_path, [server + "good/", server + "good/"]).read_bytes() == DATA


def test_the_next_mirror_takes_over(server: str, tmp_path: Path) -> None:
    mirrors = [server + "missing/", server + "wrong/", "http://127.0.0.1:9/", server + "good/"]
    assert download(FILE, tmp_path, mirrors).read_bytes() == DATA


def test_without_a_mirror_it_says_what_to_put_where(server: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        download(FILE, tmp_path, [server + "wrong/", server + "missing/"])
    assert "404" in caught.value.message
    assert caught.value.hint == f"put data.bin (MD5 {FILE.md5}) into {tmp_path}"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be written"):
        download(FILE, tmp_path / "file" / "below", [server + "good/"])


def test_every_published_set_has_a_checksum_a_size_and_a_mirror() -> None:
    for published in PUBLISHED.values():
        assert len(published.download.md5) == 32
        assert published.download.size > 1 << 20
        assert all(mirror.endswith("/") for mirror in published.mirrors)
        assert published.mirrors
