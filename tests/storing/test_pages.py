"""Every format, and every page of a file, through store, query and back."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_pictures import heic, stored
from uhop_cli.memory.export import export
from uhop_cli.memory.file.reader import load, verify
from uhop_cli.memory.originals import OriginalFiles
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.settings import QuerySettings
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import remove, store


def picture(seed: int, side: int = 48) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)


FORMATS = {
    "a.avif": stored(picture(0), "AVIF"),
    "b.heic": heic(np.asarray(picture(1))),
    "c.jp2": stored(picture(2), "JPEG2000"),
    "d.ico": stored(picture(3), "ICO", sizes=[(48, 48)]),
    "e.tga": stored(picture(4), "TGA"),
    "f.pcx": stored(picture(5), "PCX"),
    "g.j2k": stored(picture(6), "JPEG2000", no_jp2=True),
}


@pytest.mark.parametrize("embed", [False, True])
def test_every_format_is_stored_found_and_given_back_byte_for_byte(tmp_path: Path, embed: bool) -> None:
    (tmp_path / "in").mkdir()
    for name, data in FORMATS.items():
        (tmp_path / "in" / name).write_bytes(data)
    report = store([tmp_path / "in"], tmp_path / "m.safetensors", StoreSettings(size=16, embed=embed))
    assert (report.stored, report.skipped) == (len(FORMATS), ())
    if embed:
        for name in FORMATS:
            (tmp_path / "in" / name).unlink()
    restorer = Restorer(tmp_path / "m.safetensors", QuerySettings())
    for seed, (name, data) in enumerate(FORMATS.items()):
        damaged = np.asarray(picture(seed)).copy()
        damaged[30:] = 0
        result = restorer.restore(stored(Image.fromarray(damaged), "PNG"), name)
        assert result.match is not None
        assert result.match.name == f"in/{name}"
        assert result.pictures.original == data
        assert result.pictures.suffix == Path(name).suffix


def test_without_the_extra_heic_is_skipped_and_the_extra_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.heic").write_bytes(FORMATS["b.heic"])
    (tmp_path / "b.png").write_bytes(stored(picture(0), "PNG"))
    for module in ("pi_heif", "pi_heif.as_plugin"):
        monkeypatch.setitem(sys.modules, module, None)
    report = store([tmp_path], tmp_path / "m.safetensors", StoreSettings(size=16, self_test="off"))
    assert report.stored == 1
    assert [item.shown for item in report.skipped] == ["a.heic"]
    assert "uhop-cli[heif]" in report.skipped[0].why


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A TIFF of three pages, a GIF of two frames and a PNG."""
    folder = tmp_path / "in"
    folder.mkdir()
    picture(1).save(folder / "scan.tif", save_all=True, append_images=[picture(2, 40), picture(3)])
    picture(4).save(folder / "film.gif", save_all=True, append_images=[picture(5)])
    picture(6).save(folder / "one.png")
    return folder


NAMES = [b"in/film.gif", b"in/film.gif#2", b"in/one.png", b"in/scan.tif", b"in/scan.tif#2", b"in/scan.tif#3"]
ALL = StoreSettings(size=16, pages="all")


def test_the_first_page_is_taken_and_that_there_are_more_is_said(pages: Path, tmp_path: Path) -> None:
    report = store([pages], tmp_path / "m.safetensors", StoreSettings(size=16))
    assert report.stored == 3
    assert "2 files have more pages or frames than the first, which was taken; --pages all stores each" in report.notes
    report = store([pages], tmp_path / "m.safetensors", ALL, force=True)
    assert report.stored == 6
    assert not any("pages" in note for note in report.notes)


@pytest.mark.parametrize("embed", [False, True])
def test_each_page_is_found_and_its_file_given_back(pages: Path, tmp_path: Path, embed: bool) -> None:
    target = tmp_path / "m.safetensors"
    store([pages], target, StoreSettings(size=16, pages="all", embed=embed))
    memory = verify(target)
    assert memory.entries.names() == NAMES
    assert memory.shapes is not None
    assert memory.shapes.tolist() == [[48, 48]] * 4 + [[40, 40], [48, 48]]
    data = (pages / "scan.tif").read_bytes()
    if embed:
        assert memory.originals is not None
        assert [len(memory.originals.content(index)) > 0 for index in range(6)] == [True, False, True, True, False, False]
        (pages / "scan.tif").unlink()
    result = Restorer(target, QuerySettings()).restore(stored(picture(3), "PNG"), "page three")
    assert result.match is not None
    assert result.match.name == "in/scan.tif#3"
    assert (result.pictures.original, result.pictures.suffix) == (data, ".tif")
    original = OriginalFiles(memory, target).open(NAMES.index(b"in/scan.tif#2"))
    assert (original.page, original.whereabouts) == (2, "embedded" if embed else "file")
    second = original.picture((16, 16))
    assert second is not None
    assert np.array_equal(second.pixels, np.asarray(picture(2, 40)))
    names = [path.name for path in export(memory, tmp_path / "out")]
    assert names == ["film.png", "film#2.png", "one.png", "scan.png", "scan#2.png", "scan#3.png"]


def test_pages_are_known_again(pages: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    store([pages], target, ALL)
    report = store([pages], target, add=True)  # all pages, as the memory was made
    assert (report.added, report.changed, report.unchanged) == (0, 0, 6)
    (pages / "scan.tif").rename(pages / "moved.tif")
    report = store([pages], target, add=True, prune=True)
    assert (report.renamed, report.unchanged, report.removed) == (3, 3, 0)
    assert load(target).entries.names()[3:] == [b"in/moved.tif", b"in/moved.tif#2", b"in/moved.tif#3"]
    picture(7).save(pages / "moved.tif", save_all=True, append_images=[picture(2, 40)])
    report = store([pages], target, add=True, prune=True)
    assert (report.changed, report.unchanged, report.removed) == (2, 3, 1)  # the file is there, but has no third page now
    remove(target, ["moved.tif#2"])
    assert b"in/moved.tif#2" not in load(target).entries.names()


def test_a_file_may_be_called_like_a_page(tmp_path: Path) -> None:
    (tmp_path / "x.png#2").write_bytes(stored(picture(1), "PNG"))
    store([tmp_path / "x.png#2"], tmp_path / "m.safetensors", StoreSettings(size=16, embed=True))
    for _ in range(2):
        original = OriginalFiles(load(tmp_path / "m.safetensors"), tmp_path / "m.safetensors").open(0)
        assert original.picture((16, 16)) is not None
        (tmp_path / "x.png#2").unlink(missing_ok=True)
    assert original.whereabouts == "embedded"
