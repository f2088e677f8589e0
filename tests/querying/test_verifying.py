"""Answers looked at again with the originals: what is opened, what that does to the answer, and what it never does."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.corruption.corruption import parse
from uhop_cli.errors import SettingsError
from uhop_cli.frames.block_evidence import NOTHING
from uhop_cli.frames.outcome import Outcome, Reason
from uhop_cli.frames.verification import Measured, Verification
from uhop_cli.images.decode import decode
from uhop_cli.images.warp import area
from uhop_cli.memory.originals import Original
from uhop_cli.querying import verifying
from uhop_cli.querying.restoration import Query, Restoration
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.settings import QuerySettings, RetrievalSettings
from uhop_cli.querying.verifying import CONFIRMED, CONTRADICTED, SIMILAR, Verifier, sheet_of_query
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store

COUNT = 12
HEIGHT, WIDTH = 200, 160


def photo(seed: int) -> np.ndarray:
    """A picture with structure at every scale; pictures 0 and 100, 1 and 101, ... are alike at 32 x 32 and not beyond."""
    draws, fine = np.random.default_rng(seed % 100), np.random.default_rng(seed)
    plane = np.zeros((HEIGHT, WIDTH, 3))
    for cells, weight, source in ((3, 50, draws), (8, 40, draws), (20, 30, draws), (70, 40, fine), (140, 40, fine)):
        for channel in range(3):
            plane[..., channel] += weight * area(source.uniform(-1, 1, (cells, cells)).astype(np.float32), HEIGHT, WIDTH)
    return np.clip(128 + plane, 0, 255).round().astype(np.uint8)


def file(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def noisy(seed: int, sigma: float) -> bytes:
    pixels = photo(seed)
    return file(np.clip(pixels + np.random.default_rng(1).normal(0, sigma * 255, pixels.shape), 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures and their memory, once beside the originals and once with them inside but nowhere else."""
    path = tmp_path_factory.mktemp("verify")
    (path / "images").mkdir()
    for seed in range(COUNT):
        (path / "images" / f"p{seed:02}.png").write_bytes(file(photo(seed)))
    store([path / "images"], path / "m.safetensors")
    (path / "elsewhere").mkdir()
    store([path / "images"], path / "embedded.safetensors", StoreSettings(embed=True))
    os.rename(path / "embedded.safetensors", path / "elsewhere" / "embedded.safetensors")
    os.link(path / "m.safetensors", path / "elsewhere" / "m.safetensors")
    return path


class Counted:
    """A restorer that counts how often originals are read."""

    def __init__(self, path: Path, settings: QuerySettings | None = None, expected: int = 0) -> None:
        self.restorer = Restorer(path, settings, expected=expected)
        self.opened: list[int] = []
        of = self.restorer.originals.of

        def counted(row: int):
            self.opened.append(row)
            return of(row)

        self.restorer.originals.of = counted

    def ask(self, *queries: bytes) -> list[Restoration]:
        return self.restorer.answer([self.restorer.prepare(query) for query in queries])


def one(path: Path, query: bytes, **settings) -> Restoration:
    return Restorer(path, QuerySettings(**settings)).restore(query)


@pytest.mark.parametrize("place", ["m.safetensors", "elsewhere/embedded.safetensors"])
def test_a_copy_is_confirmed(folder: Path, place: str) -> None:
    counted = Counted(folder / place)
    (found,) = counted.ask(noisy(3, 0.1))
    assert found.match.name.endswith("p03.png")
    assert (found.answer.verified, found.answer.verified_words) == (True, "confirmed by the original")
    assert found.answer.confidence >= CONFIRMED
    assert "fits" in found.answer.verified_reason
    assert found.pictures.original == (folder / "images" / "p03.png").read_bytes()
    assert sorted(counted.opened) == sorted(set(counted.opened)), "each is read once"
    assert len(counted.opened) == 2


def test_a_query_that_is_put_into_another_frame_is_a_picture_as_any_other(folder: Path) -> None:
    narrow = np.zeros((HEIGHT + 6, WIDTH + 6, 3), np.uint8)
    narrow[3:-3, 3:-3] = photo(3)
    here = Restorer(folder / "m.safetensors", QuerySettings(damage=(parse("border:0.02"),))).prepare(file(photo(3)))
    there = Restorer(folder / "m.safetensors").prepare(file(narrow))
    np.testing.assert_array_equal(here.pattern, there.pattern)
    np.testing.assert_array_equal(here.sheet.grey, there.sheet.grey)
    assert here.truth is None, "in another frame no value has a true one"
    found = one(folder / "m.safetensors", file(photo(3)), damage=(parse("stretch:1.25"),))
    assert (found.match.name[-7:], found.answer.verified, found.error) == ("p03.png", True, None)
    both = one(folder / "m.safetensors", file(photo(3)), damage=(parse("stretch:1.25"), parse("noise:0.1")))
    assert both.answer.verified is None
    assert both.error is None


def test_a_look_alike_is_contradicted_and_not_named(folder: Path) -> None:
    stranger = file(photo(104))
    by_pattern = one(folder / "m.safetensors", stranger, verify="never")
    assert by_pattern.match.name.endswith("p04.png"), "at 32 x 32 they are alike"
    assert (by_pattern.answer.verified, by_pattern.answer.verified_words) == (None, "not verified")
    found = one(folder / "m.safetensors", stranger)
    assert (found.match, found.answer.verified) == (None, False)
    assert found.answer.verified_words == "contradicted by the original"
    assert found.answer.confidence <= CONTRADICTED
    assert found.pictures.original is None
    assert found.answer.matches[0].name.endswith("p04.png"), "the nearest is still named"
    assert one(folder / "m.safetensors", stranger, min_confidence=0.0).match is not None


def test_what_is_not_decided_keeps_the_confidence(folder: Path) -> None:
    """--noise 3 of a stored picture, in a file or here, is neither confirmed nor refused by the undamaged one."""
    loud = noisy(5, 3)
    found, by_pattern = one(folder / "m.safetensors", loud), one(folder / "m.safetensors", loud, verify="never")
    assert (found.answer.verified, found.answer.verified_words) == (None, "not decided by the original")
    assert found.answer.confidence == by_pattern.answer.confidence
    counted = Counted(folder / "m.safetensors", QuerySettings(damage=(parse("noise:3"),), min_confidence=1.0))
    (here,) = counted.ask(file(photo(5)))
    assert (here.answer.verified, here.answer.verified_reason, counted.opened) == (None, None, [])
    assert here.answer.verified_words == "not verified: a query that is damaged here is no more than its pattern"


@pytest.mark.parametrize(("reason", "expected"), [(Reason.UNLIKE, 0.8 / (0.8 + 20 * 0.2)), (Reason.CLOSE, 0.8)])
def test_what_no_original_fits_well_has_a_twentieth_of_the_odds(
    folder: Path, monkeypatch: pytest.MonkeyPatch, reason: Reason, expected: float
) -> None:
    def undecided(query: object, candidates: Sequence[object], **settings: object) -> Verification:
        return Verification(Outcome.UNDECIDED, 0, 100.0, reason, (Measured(NOTHING),) * len(candidates))

    monkeypatch.setattr(verifying, "verify", undecided)
    restorer = Restorer(folder / "m.safetensors")
    verdict = Verifier(restorer.memory).verdict(restorer.prepare(noisy(5, 0.1)), [5, 4], 0.8, lambda row: None, alone=True)
    assert verdict.confidence == pytest.approx(expected)
    assert (verdict.verified, verdict.words, verdict.reason) == (None, "not decided by the original", reason.value)


def test_where_nothing_can_be_added_nothing_is_opened(folder: Path) -> None:
    never = QuerySettings(min_confidence=1.0)  # so that no original is handed out
    counted = Counted(folder / "m.safetensors", never)
    (same,) = counted.ask(file(photo(6)))
    assert same.answer.verified_words == "not verified: it equals its match in every value"
    assert (same.answer.verified, same.answer.confidence) == (None, 1)
    assert counted.opened == [same.answer.matches[0].row], "handed out, not compared"
    plain = QuerySettings(min_confidence=1.0, retrieval=RetrievalSettings(similarity="dot"))
    (kernel,) = Counted(folder / "m.safetensors", plain).ask(noisy(6, 0.1))
    assert (kernel.answer.verified, kernel.answer.confidence) == (None, None)
    assert kernel.answer.verified_words == "not verified: no probability is known for this answer"


def test_of_several_queries_only_the_doubtful_are_verified(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bright = [file((photo(seed) * 0.9).astype(np.uint8)) for seed in range(3)]
    counted = Counted(folder / "m.safetensors")
    found = counted.ask(*bright)
    assert min(result.answer.confidence for result in found) >= 0.995
    assert {result.answer.verified_words for result in found} == {"not verified: its pattern is sure"}
    assert counted.opened == [result.answer.matches[0].row for result in found], "handed out, and no other is opened"
    assert Counted(folder / "m.safetensors").ask(bright[0])[0].answer.verified is True
    assert Counted(folder / "m.safetensors", expected=2).ask(bright[0])[0].answer.verified is None
    monkeypatch.setattr("uhop_cli.querying.verifying.SURE", 1.1)
    assert [found.answer.verified for found in Counted(folder / "m.safetensors").ask(bright[0], file(photo(104)))] == [True, False]


def test_originals_that_are_not_at_hand(folder: Path) -> None:
    query = noisy(7, 0.1)
    found = one(folder / "elsewhere" / "m.safetensors", query)
    assert (found.answer.verified, found.answer.verified_words) == (None, "not verified: no original at hand")
    assert found.answer.confidence == one(folder / "elsewhere" / "m.safetensors", query, verify="never").answer.confidence
    assert one(folder / "elsewhere" / "m.safetensors", query, originals=folder / "images").answer.verified is True


def test_the_original_of_the_answer_alone_is_not_at_hand(folder: Path) -> None:
    """What the others show says nothing of it."""
    restorer = Restorer(folder / "m.safetensors")
    query = restorer.prepare(noisy(7, 0.1))
    rows = [7, 0, 1]  # names are in order
    absent = replace(restorer.originals.of(7), content=None, whereabouts="missing")
    verdict = Verifier(restorer.memory).verdict(
        query, rows, 0.7, lambda row: absent if row == rows[0] else restorer.originals.of(row), alone=True
    )
    assert (verdict.verified, verdict.words, verdict.confidence) == (None, "not verified: no original at hand", 0.7)


def test_originals_that_show_no_more_than_the_pattern(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    for seed in range(8):
        (tmp_path / "small" / f"{seed}.png").write_bytes(file(photo(seed)[::4, ::3][:50, :50]))
    store([tmp_path / "small"], tmp_path / "m.safetensors", StoreSettings(size=32))
    pixels = np.asarray(Image.open(tmp_path / "small" / "2.png")).astype(float)
    query = file(np.clip(pixels + np.random.default_rng(0).normal(0, 20, pixels.shape), 0, 255).astype(np.uint8))
    assert (
        one(tmp_path / "m.safetensors", query).answer.verified_words == "not verified: its original shows no more than the pattern"
    )


def a_bomb() -> bytes:
    bomb = bytearray(file(photo(0)))
    bomb[16:24] = (60000).to_bytes(4, "big") * 2
    return bytes(bomb)


@pytest.mark.parametrize("content", [a_bomb(), b"no picture", b"", None])
def test_hostile_originals_are_not_at_hand(folder: Path, content: bytes | None) -> None:
    restorer = Restorer(folder / "m.safetensors")

    def given(row: int) -> Original:
        return Original(row, Path("hostile.png"), content, "file")

    found = Verifier(restorer.memory).verdict(restorer.prepare(noisy(1, 0.1)), [0, 1, 2], 0.7, given, alone=True)
    assert (found.verified, found.words, found.confidence) == (None, "not verified: no original at hand", 0.7)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_or_another_file_in_place_of_an_original(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "m.safetensors").write_bytes((folder / "m.safetensors").read_bytes())
    for seed in range(COUNT):
        os.mkfifo(tmp_path / "images" / f"p{seed:02}.png")
    assert one(tmp_path / "m.safetensors", noisy(2, 0.1)).answer.verified_words == "not verified: no original at hand"
    os.remove(tmp_path / "images" / "p02.png")
    (tmp_path / "images" / "p02.png").symlink_to(folder / "images" / "p03.png")
    assert one(tmp_path / "m.safetensors", noisy(2, 0.1)).answer.verified is None


def rows_of(restorer: Restorer, *seeds: int) -> list[int]:
    entries = restorer.memory.entries
    rows = {name: int(row) for name, row in zip(entries.names(), entries.name_entry, strict=True)}
    return [rows[f"images/p{seed:02}.png".encode()] for seed in seeds]


def verdict(folder: Path, query: Query, *seeds: int, confidence: float = 0.7):
    restorer = Restorer(folder / "m.safetensors")
    rows = rows_of(restorer, *seeds)
    return Verifier(restorer.memory).verdict(query, rows, confidence, restorer.originals.of, alone=True)


def test_the_confirmed_one_is_the_answer_whatever_its_rank(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restorer = Restorer(folder / "m.safetensors")
    query = restorer.prepare(noisy(8, 0.05))
    found = verdict(folder, query, 9, 8, 1, confidence=0.2)
    assert (found.verified, found.best, found.confidence) == (True, 1, CONFIRMED)
    assert verdict(folder, query, 8, 9, confidence=0.99999).confidence == 0.99999
    assert verdict(folder, query, 9, 1, 2, 3, 4, 8).best == 0, "no more than five are looked at"
    # and the answer as a whole is that picture's
    rows = rows_of(restorer, 9, 8)
    best = lambda answer, place, top: [(rows[0], 0.99, 2.0), (rows[1], 0.01, 1.0)]  # noqa: E731
    monkeypatch.setattr("uhop_cli.querying.answer.Answer.best", best)
    result = restorer.answer([query])[0]
    assert [match.name[-7:] for match in result.answer.matches] == ["p08.png", "p09.png"]
    assert [match.rank for match in result.answer.matches] == [1, 2]
    assert result.pictures.original == (folder / "images" / "p08.png").read_bytes()
    np.testing.assert_array_equal(result.pictures.state, restorer.memory.patterns[rows[1]])


def test_another_shot_of_a_scene_is_not_certain(folder: Path) -> None:
    """A copy moved by 3%: its original fits once aligned, as any shot of the scene would."""
    moved = np.roll(photo(8), 6, axis=1)
    found = verdict(folder, Restorer(folder / "m.safetensors").prepare(file(moved)), 8, 9, confidence=0.99999)
    assert (found.verified, found.confidence, found.words) == (None, SIMILAR, "not decided by the original")
    assert "shifted" in found.reason


def covered(pixels: np.ndarray) -> np.ndarray:
    """Transparent where it is red."""
    alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    alpha[: HEIGHT // 2] = 0
    red = pixels.copy()
    red[: HEIGHT // 2] = 255, 0, 0
    return np.concatenate((red, alpha), axis=2)


def mask_file(tmp_path: Path) -> dict:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[: HEIGHT // 2] = 255
    (tmp_path / "mask.png").write_bytes(file(mask))
    return {"mask_file": tmp_path / "mask.png"}


@pytest.mark.parametrize(
    ("query", "settings"),
    [(lambda p: file(covered(p)), lambda path: {}), (lambda p: file(covered(p)[..., :3].copy()), mask_file)],
    ids=["alpha", "mask file"],
)
def test_what_is_missing_is_missing_here_too(folder: Path, tmp_path: Path, query: Callable, settings: Callable) -> None:
    restorer = Restorer(folder / "m.safetensors", QuerySettings(**settings(tmp_path)))
    prepared = restorer.prepare(query(photo(9)))
    assert prepared.sheet.cover[: HEIGHT // 2].max() == 0 == 1 - prepared.sheet.cover[HEIGHT // 2 :].min()
    assert restorer.restore(query(photo(9))).match.name.endswith("p09.png")
    shown = verdict(folder, prepared, 9, 1)
    assert (shown.verified, shown.best) == (True, 0)


def test_a_file_that_ends_early(folder: Path) -> None:
    data = file(photo(9), compress_level=0)
    restorer = Restorer(folder / "m.safetensors")
    prepared = restorer.prepare(data[: len(data) // 2])
    assert 0 < prepared.sheet.cover.mean() < 0.6
    assert verdict(folder, prepared, 9, 1).verified is True


def test_what_a_query_is_compared_by() -> None:
    image = decode(file(covered(photo(0))))
    assert sheet_of_query(image, None).cover is not None
    blended = sheet_of_query(image, (255, 0, 0))
    assert blended.cover is None
    assert blended.grey[0, 0] == pytest.approx(0.299, abs=1e-5)
    large = decode(file(np.zeros((2000, 1000), np.uint8)))
    assert sheet_of_query(large, None).grey.size == pytest.approx(1 << 20, rel=0.01)


def test_settings() -> None:
    with pytest.raises(SettingsError, match="verification"):
        QuerySettings(verify="always")
    assert QuerySettings(verify="never").to_json()["verify"] == "never"
