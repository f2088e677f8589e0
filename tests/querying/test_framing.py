"""Queries in other frames: what is found, what it says, and what is left alone."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from uhop_cli.corruption.corruption import parse
from uhop_cli.errors import SettingsError
from uhop_cli.images.warp import area
from uhop_cli.memory.file.reader import load
from uhop_cli.querying import framing
from uhop_cli.querying.framing import UNVERIFIED
from uhop_cli.querying.restoration import Restoration
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.settings import QuerySettings
from uhop_cli.querying.verifying import CONFIRMED
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store

COUNT = 12


def photo(seed: int) -> Image.Image:
    """A picture with structure at every scale, the even ones upright, the odd ones wide."""
    height, width = (120, 90) if seed % 2 else (90, 120)
    draws = np.random.default_rng(seed)
    plane = np.full((height, width, 3), 128.0)
    for cells, weight in ((3, 50), (6, 45), (12, 40), (30, 40)):
        for channel in range(3):
            plane[..., channel] += weight * area(draws.uniform(-1, 1, (cells, cells)).astype(np.float32), height, width)
    return Image.fromarray(np.clip(plane, 0, 255).round().astype(np.uint8))


def file(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("framing")
    (path / "images").mkdir()
    for seed in range(COUNT):
        (path / "images" / f"p{seed:02}.png").write_bytes(file(photo(seed)))
    store([path / "images"], path / "m.safetensors", StoreSettings(size=16, local="off"))
    return path


@pytest.fixture(scope="module")
def restorer(folder: Path) -> Restorer:
    return Restorer(folder / "m.safetensors")


def on_page(*placed: tuple[Image.Image, tuple[int, int]], size: tuple[int, int], colour: str = "navy") -> Image.Image:
    page = Image.new("RGB", size, colour)
    for picture, place in placed:
        page.paste(picture, place)
    return page


def is_found(result: Restoration, seed: int, folder: Path) -> bool:
    return (
        result.match is not None
        and result.match.name.endswith(f"p{seed:02}.png")
        and result.answer.verified is True
        and result.answer.confidence == CONFIRMED
        and result.pictures.original == (folder / "images" / f"p{seed:02}.png").read_bytes()
    )


def test_a_mirror_image_is_found(restorer: Restorer, folder: Path) -> None:
    result = restorer.restore(file(ImageOps.mirror(photo(1))))
    assert is_found(result, 1, folder)
    document = result.to_json()
    assert document["frame"]["kind"] == "mirrored"
    assert (document["frame"]["turn"], document["frame"]["mirrored"]) == (0, True)
    np.testing.assert_allclose(document["frame"]["window"], (0, 0, 1, 1), atol=0.01)
    assert document["matches"][0]["frame"] == document["frame"]
    assert [match["verified"] for match in document["matches"]] == [True, *[None] * 4]
    assert [match["frame"] for match in document["matches"][1:]] == [None] * 4


def test_a_picture_on_a_page_is_found_with_its_place(restorer: Restorer, folder: Path) -> None:
    page = on_page((photo(2), (40, 30)), size=(200, 150))
    result = restorer.restore(file(page, "JPEG", quality=75))
    assert is_found(result, 2, folder)
    assert result.to_json()["frame"]["kind"] == "border"
    np.testing.assert_allclose(result.answer.frame.window, (0.2, 0.2, 0.6, 0.6), atol=0.01)
    pattern = np.stack([area(plane, 16, 16) for plane in np.moveaxis(np.asarray(photo(2), np.float32), 2, 0)], axis=2)
    assert np.abs(result.pictures.damaged.astype(float) - pattern).mean() < 6, "the page around it is left out"


def test_a_crop_goes_on_as_a_query_with_missing_parts(restorer: Restorer, folder: Path) -> None:
    cropped = photo(3).crop((5, 10, 5 + 72, 10 + 96))
    result = restorer.restore(file(cropped))
    assert is_found(result, 3, folder)
    frame = result.answer.frame
    np.testing.assert_allclose(frame.window, (-5 / 72, -10 / 96, 1.25, 1.25), atol=0.02)
    assert result.to_json()["frame"]["kind"] == "crop"
    assert result.answer.kernel == "visible pixels"
    missing = (result.pictures.damaged == 0).all(axis=2).mean()
    assert 0.3 < missing < 0.42, "a share of 1 - .64 of the pattern is missing"


@pytest.mark.parametrize(("turn", "mirrored"), [(1, False), (2, False), (3, True)])
def test_turned_and_on_a_page(restorer: Restorer, folder: Path, turn: int, mirrored: bool) -> None:
    """The window is that of the query as it was given: the picture stands to the left on the page."""
    picture = photo(4).rotate(90 * turn, expand=True)
    picture = ImageOps.mirror(picture) if mirrored else picture
    page = on_page((picture, (0, 0)), size=(picture.width + 50, picture.height))
    result = restorer.restore(file(page))
    assert is_found(result, 4, folder)
    frame = result.answer.frame
    assert frame.turn == (turn if mirrored else -turn % 4)
    assert frame.mirrored == mirrored
    np.testing.assert_allclose(frame.window, (0, 0, picture.width / page.width, 1), atol=0.01)
    assert result.to_json()["frame"]["kind"] == ("mirrored, turned, border" if mirrored else "turned, border")


def test_a_stranger_is_found_in_no_frame(restorer: Restorer) -> None:
    result = restorer.restore(file(on_page((ImageOps.mirror(photo(41)), (25, 25)), size=(175, 175))))
    assert (result.match, result.answer.frame, result.to_json()["frame"]) == (None, None, None)


def test_other_frames_are_looked_at_only_where_that_is_asked(folder: Path) -> None:
    mirrored = file(ImageOps.mirror(photo(5)))
    for settings, found in (("same", False), ("auto", True), ("all", True)):
        restorer = Restorer(folder / "m.safetensors", QuerySettings(frames=settings))
        assert (restorer.restore(mirrored).match is not None) == found
    damaged = Restorer(folder / "m.safetensors", QuerySettings(damage=(parse("noise:0.1"),)))
    assert damaged.prepare(mirrored).picture is None


def test_without_originals_a_lead_decides_and_the_answer_says_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes((folder / "m.safetensors").read_bytes())
    mirrored, stranger = file(ImageOps.mirror(photo(5))), file(ImageOps.mirror(photo(44)))
    for restorer, words in (
        (Restorer(tmp_path / "m.safetensors"), "not verified: no original at hand"),
        (Restorer(folder / "m.safetensors", QuerySettings(verify="never")), "not verified: no original at hand"),
        (Restorer(load(folder / "m.safetensors")), "not verified: no original at hand"),
    ):
        result = restorer.restore(mirrored)
        assert result.match.name.endswith("p05.png")
        assert (result.answer.verified, result.answer.verified_words) == (None, words)
        assert result.answer.confidence == UNVERIFIED
        assert result.answer.frame.mirrored
        assert result.answer.matches[0].verified is None
        assert restorer.restore(stranger).match is None


def test_what_the_same_frame_explains_is_left_alone(folder: Path) -> None:
    restorer = Restorer(folder / "m.safetensors", QuerySettings())

    def never(*_: object) -> None:
        raise AssertionError("it was found at once")

    restorer._in_another_frame = never
    for query in (file(photo(6)), file(photo(7), "JPEG", quality=60)):
        result = restorer.restore(query)
        assert result.match is not None
        assert result.answer.frame is None
    with pytest.raises(AssertionError, match="at once"):
        restorer.restore(file(ImageOps.mirror(photo(7))))


def test_a_batch_is_answered_in_its_order(folder: Path) -> None:
    restorer = Restorer(folder / "m.safetensors", expected=4)
    pictures = [ImageOps.mirror(photo(8)), photo(9), photo(42), on_page((photo(10), (10, 30)), size=(150, 150))]
    results = restorer.answer([restorer.prepare(file(picture), str(place)) for place, picture in enumerate(pictures)])
    assert [result.query for result in results] == ["0", "1", "2", "3"]
    assert [result.match and result.match.name[-7:-4] for result in results] == ["p08", "p09", None, "p10"]
    assert [result.answer.frame is not None for result in results] == [True, False, False, True]


def test_what_is_missing_here_is_missing_in_any_frame(restorer: Restorer, folder: Path, tmp_path: Path) -> None:
    mirrored = ImageOps.mirror(photo(1)).convert("RGBA")
    mirrored.paste((255, 0, 0, 0), (0, 0, 45, 120))  # the left half: right in the original
    result = restorer.restore(file(mirrored))
    assert is_found(result, 1, folder)
    assert (result.pictures.damaged[:, 9:] == 0).all()
    mask = Image.new("L", mirrored.size)
    mask.paste(255, (0, 0, 45, 120))
    mask.save(tmp_path / "mask.png")
    masked = Restorer(folder / "m.safetensors", QuerySettings(mask_file=tmp_path / "mask.png"))
    again = masked.restore(file(ImageOps.mirror(photo(1))))
    assert is_found(again, 1, folder)
    assert (again.pictures.damaged[:, 9:] == 0).all()


def test_another_shot_of_a_scene_is_no_copy(folder: Path, tmp_path: Path) -> None:
    """Moved by 3% it shows at its edges what the stored one does not; a scan laid askew shows white there."""
    scene = photo(50).resize((132, 100))
    shot = scene.crop((0, 0, 120, 90))
    (tmp_path / "images").mkdir()
    shot.save(tmp_path / "images" / "p50.png")
    for seed in range(6):
        (tmp_path / "images" / f"p{seed}.png").write_bytes(file(photo(seed)))
    store([tmp_path / "images"], tmp_path / "m.safetensors", StoreSettings(size=16, local="off"))
    restorer = Restorer(tmp_path / "m.safetensors")
    moved = restorer.restore(file(scene.crop((4, 3, 124, 93))))
    assert moved.answer.frame is None
    assert moved.answer.verified is not True
    askew = on_page((shot, (4, 3)), size=shot.size, colour="white")
    found = restorer.restore(file(askew))
    assert found.answer.frame is not None
    assert found.to_json()["frame"]["kind"] == "shifted"


def test_several_pictures_are_named_each_with_its_place(folder: Path) -> None:
    page = on_page((photo(0), (0, 0)), (photo(2), (120, 0)), size=(240, 90))
    restorer = Restorer(folder / "m.safetensors", QuerySettings(frames="all", top=4))
    result = restorer.restore(file(page))
    found = {match.name[-7:-4]: match.frame.window for match in result.answer.matches if match.frame is not None}
    assert set(found) == {"p00", "p02"}
    np.testing.assert_allclose(found["p00"], (0, 0, 0.5, 1), atol=0.01)
    np.testing.assert_allclose(found["p02"], (0.5, 0, 0.5, 1), atol=0.01)
    assert [match.verified for match in result.answer.matches] == [True, True, None, None]
    assert [match.rank for match in result.answer.matches] == [1, 2, 3, 4]
    assert restorer.restore(file(photo(0))).answer.frame is None


def test_a_large_memory_is_looked_through_as_far_as_the_limit_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve colour pictures take 2 x 2 x 2,000 x 192 x 12 operations; the boxes are looked at in any case."""
    rotated, mirrored = file(photo(3).rotate(40, expand=True, fillcolor="navy")), file(ImageOps.mirror(photo(3)))
    for limit, settings, found in ((18.4e6, "auto", False), (18.5e6, "auto", True), (1, "all", True)):
        monkeypatch.setattr(framing, "LIMIT", limit)
        restorer = Restorer(folder / "m.safetensors", QuerySettings(frames=settings))
        result = restorer.restore(rotated)
        assert (result.answer.frame is not None) == found
        assert result.notes == (() if found else (framing.LEFT_OUT,))
        assert restorer.restore(mirrored).answer.frame is not None


def test_a_file_that_is_gone_is_found_in_no_frame(folder: Path, tmp_path: Path) -> None:
    restorer = Restorer(folder / "m.safetensors")
    place = tmp_path / "x.png"
    place.write_bytes(file(ImageOps.mirror(photo(1))))
    query = restorer.prepare(place)
    place.unlink()
    assert restorer.answer([query])[0].match is None


@pytest.mark.parametrize("settings", [{"frames": "some"}, {"frames": "all", "damage": (parse("noise:1"),)}])
def test_settings_that_would_do_nothing_are_refused(settings: dict) -> None:
    with pytest.raises(SettingsError):
        QuerySettings(**settings)


def test_nothing_of_the_search_is_imported_for_a_query_that_is_found_at_once(folder: Path) -> None:
    code = f"""
import sys
from uhop_cli.querying.restorer import Restorer
assert Restorer({str(folder / "m.safetensors")!r}).restore({str(folder / "images" / "p01.png")!r}).match
print(*[name for name in sys.modules if name.startswith(("uhop_cli.frames.whole", "uhop_cli.frames.search", "cv2", "torch"))])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
