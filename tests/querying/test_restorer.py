"""`Restorer` from file to answer: the right match, the original's bytes, masks, errors, and both back ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.corruption.corruption import parse
from uhop_cli.errors import ImageError, SettingsError
from uhop_cli.images.decode import Image as Picture
from uhop_cli.images.decode import decode
from uhop_cli.images.patterns import PatternSpec, to_query
from uhop_cli.querying.restoration import Restoration
from uhop_cli.querying.restorer import Restorer, squared_error
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import QuerySettings, RetrievalSettings
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty smooth pictures of 16 x 16 and their memory."""
    path = tmp_path_factory.mktemp("restore")
    (path / "images").mkdir()
    for index in range(20):
        small = np.random.default_rng(index).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(small).resize((16, 16), Image.Resampling.BICUBIC).save(path / "images" / f"p{index:02}.png")
    store([path / "images"], path / "m.safetensors")
    return path


def pixels(folder: Path, index: int) -> np.ndarray:
    return np.asarray(Image.open(folder / "images" / f"p{index:02}.png"))


def restore(folder: Path, image: Path, settings: QuerySettings | None = None) -> Restoration:
    return Restorer(folder / "m.safetensors", settings).restore(image)


DAMAGES = [
    "mask:0.5",
    "noise:0.3",
    "half:bottom",
    "half:right:white",
    "brightness:0.3",
    "scale:0.3",
    "values:0.5",
    "salt-pepper:0.2",
]


@pytest.mark.parametrize("label", DAMAGES)
def test_damage_of_every_kind_finds_the_original(folder: Path, label: str) -> None:
    for index in (0, 7, 19):
        result = restore(folder, folder / "images" / f"p{index:02}.png", QuerySettings(damage=(parse(label),)))
        assert result.match is not None
        assert result.match.name == f"images/p{index:02}.png"
        assert result.pictures.kind == "original"
        assert result.pictures.original == (folder / "images" / f"p{index:02}.png").read_bytes()
        assert result.answer.settled == "memory"
        assert result.answer.converged
        assert result.error is not None
        assert result.error.state < 1e-4 < result.error.query


@pytest.mark.parametrize("similarity", ["auto", "kernel", "dot", "cosine", "l2", "l2-squared", "l1"])
@pytest.mark.parametrize("known", [False, True])
def test_every_similarity_runs_with_and_without_a_mask(folder: Path, similarity: str, known: bool) -> None:
    settings = QuerySettings(
        damage=(parse("mask:0.3"),), known_mask=known, retrieval=RetrievalSettings(similarity=similarity), trace=True
    )
    result = restore(folder, folder / "images" / "p04.png", settings)
    assert result.answer.matches[0].rank == 1
    assert sum(match.weight for match in result.answer.matches) <= 1 + 1e-5
    if known or similarity in ("auto", "kernel", "cosine"):
        assert result.match is not None
        assert result.match.name == "images/p04.png"
    if similarity != "l1":
        assert len(result.answer.energy) >= 1
        assert np.diff(result.answer.energy).max(initial=-np.inf) <= 1e-4 * max(1, abs(result.answer.energy[0]))


def test_transparent_parts_are_known_to_be_missing(folder: Path, tmp_path: Path) -> None:
    for index in range(20):
        rgba = np.dstack([pixels(folder, index), np.full((16, 16), 255, np.uint8)])
        rgba[:, 5:] = 0
        Image.fromarray(rgba).save(tmp_path / "torn.png")
        result = restore(folder, tmp_path / "torn.png")
        assert result.match is not None
        assert result.match.name == f"images/p{index:02}.png"
        assert result.answer.kernel == "visible pixels"
    Image.fromarray(np.zeros((16, 16, 4), np.uint8)).save(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match=r"nothing\.png"):
        restore(folder, tmp_path / "nothing.png")


def test_transparency_is_laid_on_the_background_where_the_stored_images_have_it_too(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for index in range(10):
        rgba = np.random.default_rng(index).integers(0, 256, (8, 8, 4), dtype=np.uint8)
        rgba[..., 3] = np.where(rgba[..., 3] > 128, 255, 0)
        Image.fromarray(rgba).save(tmp_path / "images" / f"{index}.png")
    store([tmp_path / "images"], tmp_path / "m.safetensors")
    for alpha, kernel in (("auto", "other"), ("blend", "other"), ("missing", "visible pixels")):
        result = Restorer(tmp_path / "m.safetensors", QuerySettings(alpha=alpha)).restore(tmp_path / "images" / "3.png")  # type: ignore[arg-type]
        assert result.match is not None
        assert result.match.name == "images/3.png"
        assert (result.answer.kernel == "visible pixels") == (kernel == "visible pixels")


def test_half_transparent_pixels_of_a_transparent_set_are_not_missing(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    shared = np.random.default_rng(0).integers(0, 256, (8, 8, 4), dtype=np.uint8)
    for index in range(6):
        rgba = shared.copy()
        rgba[0, 0] = 40, 200, 90, 60 + 30 * index  # six pictures that differ in the transparency of one pixel
        Image.fromarray(rgba).save(tmp_path / "images" / f"{index}.png")
    report = store([tmp_path / "images"], tmp_path / "m.safetensors")
    assert report.patterns > 3
    torn = np.asarray(Image.open(tmp_path / "images" / "4.png")).copy()
    torn[:, 4:, 3] = 0
    Image.fromarray(torn).save(tmp_path / "torn.png")
    result = Restorer(tmp_path / "m.safetensors", QuerySettings(alpha="missing", min_confidence=0)).restore(tmp_path / "torn.png")
    assert result.answer.kernel == "visible pixels"
    assert "images/4.png" in result.answer.matches[0].names
    answered = result.to_json()["match"]
    assert {answered["name"], *answered["also"]} == set(result.answer.matches[0].names)
    assert answered["name"] not in answered["also"]


def test_mask_file_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    damaged = pixels(folder, 3).copy()
    damaged[8:] = 255
    Image.fromarray(damaged).save(tmp_path / "d.png")
    mask = np.zeros((16, 16), np.uint8)
    mask[8:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    result = restore(folder, tmp_path / "d.png", QuerySettings(mask_file=tmp_path / "mask.png"))
    assert result.match is not None
    assert result.match.name == "images/p03.png"
    np.testing.assert_array_equal(result.pictures.state, pixels(folder, 3))


def test_truth_gives_the_error(folder: Path, tmp_path: Path) -> None:
    truth = folder / "images" / "p05.png"
    damaged = np.clip(pixels(folder, 5).astype(int) + 40, 0, 255).astype(np.uint8)
    Image.fromarray(damaged).save(tmp_path / "bright.png")
    result = restore(folder, tmp_path / "bright.png", QuerySettings(truth=truth))
    assert result.error is not None
    assert result.error.state == pytest.approx(0, abs=1e-6)
    assert result.error.query == pytest.approx(np.square((damaged - pixels(folder, 5).astype(int)) / 255).sum(), rel=1e-3)
    assert squared_error(np.array([2.0, -1.0], np.float32), np.array([1.0, 0.0], np.float32)) == 0


def test_frames_come_first_and_act_on_the_picture_at_its_own_size(folder: Path, tmp_path: Path) -> None:
    large = np.random.default_rng(0).integers(0, 256, (1200, 900, 3), dtype=np.uint8)
    large[:, ::2] = large[:, :1]  # columns that a reduced picture would mix
    Image.fromarray(large).save(tmp_path / "large.png")
    settings = QuerySettings(damage=(parse("mirror"), parse("turn:90"), parse("half:top:white")))
    query = Restorer(folder / "m.safetensors", settings).prepare(tmp_path / "large.png").pattern.reshape(16, 16, 3)
    turned = to_query(Picture(np.rot90(large[:, ::-1], -1), None), PatternSpec(16, 16, 3))[0].reshape(16, 16, 3)
    assert (query[:8] == 1).all(), "what is done to the pattern comes after the turn"
    np.testing.assert_array_equal(query[8:], turned[8:])
    small = parse("crop:0.05").reframed(decode((tmp_path / "large.png").read_bytes()))
    assert small.pixels.shape == (60, 45, 3)
    cropped = Restorer(folder / "m.safetensors", QuerySettings(damage=(parse("crop:0.05"),))).prepare(tmp_path / "large.png")
    np.testing.assert_array_equal(cropped.pattern, to_query(small, PatternSpec(16, 16, 3))[0])


def test_a_frame_after_other_damage_is_refused_with_the_order_that_works() -> None:
    with pytest.raises(SettingsError, match="a frame is of the picture") as caught:
        QuerySettings(damage=(parse("mirror"), parse("noise:0.1"), parse("crop:0.6")))
    assert caught.value.hint == "write --corrupt mirror --corrupt crop:0.6 --corrupt noise:0.1"


def test_of_what_is_damaged_here_only_frames_can_be_looked_for_in_others() -> None:
    assert QuerySettings(damage=(parse("mirror"),), frames="all").framing == (parse("mirror"),)
    with pytest.raises(SettingsError, match="has no other frames"):
        QuerySettings(damage=(parse("mirror"), parse("noise:0.1")), frames="all")


def test_the_original_is_only_copied_while_it_is_the_stored_one(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for index in range(4):
        small = np.random.default_rng(index).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(small).save(tmp_path / "images" / f"{index}.png")
    query = tmp_path / "images" / "0.png"
    settings = QuerySettings(damage=(parse("noise:0.1"),))
    store([tmp_path / "images"], tmp_path / "m.safetensors")
    store([tmp_path / "images"], tmp_path / "e.safetensors", StoreSettings(embed=True))
    data = query.read_bytes()
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "0.png").write_bytes(data)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(query)  # changed after it was stored
    copy = tmp_path / "moved" / "0.png"
    result = Restorer(tmp_path / "m.safetensors", settings).restore(copy)
    assert result.pictures.kind == "state"
    assert result.pictures.original is None
    np.testing.assert_array_equal(result.pictures.state, np.asarray(Image.open(copy)))
    assert Restorer(tmp_path / "e.safetensors", settings).restore(copy).pictures.original == data
    moved = QuerySettings(damage=(parse("noise:0.1"),), originals=tmp_path / "moved")
    assert Restorer(tmp_path / "m.safetensors", moved).restore(copy).pictures.original == data


def test_back_ends_agree_on_the_whole_path(folder: Path) -> None:
    pytest.importorskip("torch")
    for similarity in ("auto", "kernel", "cosine", "l2", "l2-squared"):
        for label in ("mask:0.5", "half:bottom", "brightness:0.3"):
            for known in (False, True):
                results = [
                    restore(
                        folder,
                        folder / "images" / "p02.png",
                        QuerySettings(
                            damage=(parse(label),),
                            known_mask=known,
                            device=device,
                            retrieval=RetrievalSettings(similarity=similarity, steps=3),
                            trace=True,
                        ),
                    )
                    for device in ("cpu", "torch-cpu")
                ]
                # A beta of hundreds multiplies the rounding of the un-learned scores, which leave several memories in play here.
                near = 1e-5 if similarity in ("auto", "kernel") else 1e-4
                np.testing.assert_allclose(results[0].arrays["weights"], results[1].arrays["weights"], atol=near)
                np.testing.assert_allclose(results[0].arrays["x"], results[1].arrays["x"], atol=near)
                scale = np.abs(results[0].answer.energy).max()
                np.testing.assert_allclose(results[0].answer.energy, results[1].answer.energy, atol=1e-5 * scale)


def test_answers_together_equal_answers_one_by_one(folder: Path) -> None:
    restorer = Restorer(folder / "m.safetensors", QuerySettings(damage=(parse("mask:0.5"),)))
    queries = [restorer.prepare(folder / "images" / f"p{index:02}.png") for index in range(12)]
    together = restorer.answer(queries)
    for query, result in zip(queries, together, strict=True):
        alone = restorer.answer([query])[0]
        assert alone.answer.matches[0].name == result.answer.matches[0].name
        np.testing.assert_allclose(alone.arrays["weights"], result.arrays["weights"], atol=1e-5)


@pytest.mark.parametrize("sizes", [(5, 2, 1, 1, 1, 1, 1, 1), (2, 9, 9, 9, 9, 9, 9, 9)])
def test_every_query_is_answered_once_though_memory_comes_and_goes(
    folder: Path, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    restorer = Restorer(folder / "m.safetensors", QuerySettings(damage=(parse("mask:0.5"),)))
    queries = [restorer.prepare(folder / "images" / f"p{index:02}.png") for index in range(8)]
    left = list(sizes)
    monkeypatch.setattr(Retriever, "batch", property(lambda self: left.pop(0)))
    answers = restorer.answer(queries)
    assert [answer.query for answer in answers] == [query.name for query in queries]


@pytest.mark.parametrize("separation", ["softmax", "sparsemax"])
def test_a_query_in_the_certified_radius_is_said_to_be_and_is_right(folder: Path, separation: str) -> None:
    seen = set()
    for sigma in (0.001, 0.01, 0.1, 1.0):
        settings = QuerySettings(
            damage=(parse(f"noise:{sigma}"),),
            retrieval=RetrievalSettings(similarity="kernel", separation=separation, beta=1000.0, steps=1),
        )
        for index in range(0, 20, 4):
            result = restore(folder, folder / "images" / f"p{index:02}.png", settings)
            seen.add(result.answer.inside_radius)
            if result.answer.inside_radius:
                assert result.answer.matches[0].name == f"images/p{index:02}.png"
                assert separation == "softmax" or result.answer.matches[0].weight == pytest.approx(1, abs=1e-6)
    assert seen == {True, False}
    assert restore(folder, folder / "images" / "p00.png").answer.inside_radius is None


def test_documents_carry_schema_and_configuration(folder: Path) -> None:
    result = restore(folder, folder / "images" / "p00.png", QuerySettings(damage=(parse("half:bottom"),))).to_json()
    for field in (
        "query",
        "match",
        "confidence",
        "matches",
        "steps",
        "converged",
        "energy",
        "settled",
        "sse",
        "output",
        "output_kind",
    ):
        assert field in result
    assert result["match"]["name"] == "images/p00.png"
    assert QuerySettings(damage=(parse("half:bottom"),)).to_json()["damage"] == ["half:bottom"]


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingsError):
        QuerySettings(alpha="maybe")  # type: ignore[arg-type]
    with pytest.raises(SettingsError):
        QuerySettings(top=0)
    with pytest.raises(SettingsError):
        RetrievalSettings(similarity="vibes")
    with pytest.raises(SettingsError):
        RetrievalSettings(steps=0)
    with pytest.raises(SettingsError):
        RetrievalSettings(beta=-1.0)
    with pytest.raises(SettingsError):
        RetrievalSettings(separation="soft")


def test_what_a_file_lacks_is_missing_and_said(folder: Path, tmp_path: Path) -> None:
    whole = Image.fromarray(pixels(folder, 2)).resize((200, 200), Image.Resampling.NEAREST)
    path = tmp_path / "cut.jpg"
    whole.save(path, quality=95)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    restorer = Restorer(folder / "m.safetensors")
    query = restorer.prepare(path)
    assert query.visible is not None
    assert 0.3 < query.visible.mean() < 0.9
    assert "is cut short" in query.notes[0]
    assert "the rest is taken as missing" in query.notes[0]
    result = restorer.restore(path)
    assert result.notes == query.notes == tuple(result.to_json()["notes"])
    assert result.answer.matches[0].row == restorer.restore(folder / "images" / "p02.png").answer.matches[0].row
    for settings in (QuerySettings(mask_file=path), QuerySettings(truth=path)):
        with pytest.raises(ImageError, match="is cut short"):
            Restorer(folder / "m.safetensors", settings).prepare(folder / "images" / "p02.png")


def test_further_pages_are_said(folder: Path, tmp_path: Path) -> None:
    pages = [Image.fromarray(pixels(folder, index)) for index in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    query = Restorer(folder / "m.safetensors").prepare(tmp_path / "pages.tif")
    assert query.notes == ("3 pages or frames; the first one was taken",)
