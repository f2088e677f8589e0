"""The Python interface on arrays."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import uhop_cli
from uhop_cli.errors import SettingsError, UhopError
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings

IMAGES = np.random.default_rng(0).integers(0, 256, (15, 10, 10, 3), dtype=np.uint8)


def test_learn_save_load_retrieve(tmp_path: Path) -> None:
    memory = uhop_cli.learn(IMAGES)
    uhop_cli.save(memory, tmp_path / "m.safetensors")
    again = uhop_cli.load(tmp_path / "m.safetensors")
    damaged = IMAGES[:5].copy()
    damaged[:, 5:] = 0
    for stored in (memory, again):
        answer = uhop_cli.retrieve(stored, damaged)
        np.testing.assert_array_equal(answer.weights.argmax(axis=1), np.arange(5))
        np.testing.assert_allclose(answer.pictures[-1], IMAGES[:5].reshape(5, -1) / 255, atol=1e-4)
    visible = np.zeros(damaged.shape, np.bool_)
    visible[:, :5] = True
    known = uhop_cli.retrieve(memory, damaged, visible=visible)
    np.testing.assert_array_equal(known.weights.argmax(axis=1), np.arange(5))


def test_grey_floats_and_duplicates() -> None:
    grey = np.random.default_rng(1).random((6, 9, 9))
    memory = uhop_cli.learn(np.concatenate([grey, grey[:1]]), names=list("abcdefg"))
    assert len(memory) == 6
    assert [memory.entries.name(int(index)) for index in memory.entries.files_of(0)] == [b"a", b"g"]
    assert memory.spec.shape == (9, 9, 1)
    answer = uhop_cli.retrieve(memory, grey + np.random.default_rng(2).normal(0, 0.2, grey.shape))
    np.testing.assert_array_equal(answer.weights.argmax(axis=1), np.arange(6))


def test_a_memory_of_one_and_of_two() -> None:
    for count in (1, 2):
        memory = uhop_cli.learn(IMAGES[:count])
        answer = uhop_cli.retrieve(memory, IMAGES[:count])
        np.testing.assert_array_equal(answer.weights.argmax(axis=1), np.arange(count))
        assert np.isfinite(answer.weights).all()


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 4)),
        np.zeros((3, 4, 4, 2), np.uint8),
        np.full((2, 4, 4), 7.0),
        np.zeros((0, 4, 4), np.uint8),
        np.full((2, 4, 4), np.nan),
    ],
)
def test_arrays_of_another_form_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(SettingsError):
        uhop_cli.learn(wrong)


def test_queries_of_another_size_are_refused() -> None:
    memory = uhop_cli.learn(IMAGES)
    with pytest.raises(SettingsError, match="values"):
        uhop_cli.retrieve(memory, IMAGES[:, :5])
    with pytest.raises(AttributeError):
        _ = uhop_cli.nothing_of_the_kind


@pytest.mark.parametrize("settings", [{}, {"similarity": "kernel"}, {"similarity": "kernel", "separation": "window:2", "steps": 2}])
def test_many_queries_are_answered_some_at_a_time(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    memory = uhop_cli.learn(IMAGES)
    asked = np.clip(IMAGES / 255 + np.random.default_rng(3).normal(0, 0.1, IMAGES.shape), 0, 1)
    retrieval = RetrievalSettings(**settings)
    whole = uhop_cli.retrieve(memory, asked, settings=retrieval, trace=True)
    monkeypatch.setattr(Retriever, "batch", 4)
    parts = uhop_cli.retrieve(memory, asked, settings=retrieval, trace=True)
    np.testing.assert_allclose(parts.weights, whole.weights, atol=1e-4)
    np.testing.assert_allclose(parts.pictures[-1], whole.pictures[-1], atol=1e-4)
    assert parts.kernels == whole.kernels
    assert len(parts.weights) == len(IMAGES)


def test_no_queries_give_no_answers() -> None:
    with pytest.raises(SettingsError, match="no queries"):
        uhop_cli.retrieve(uhop_cli.learn(IMAGES), IMAGES[:0])


def pictures(count: int = 8, side: int = 40) -> list[Image.Image]:
    small = np.random.default_rng(5).integers(0, 256, (count, 5, 5, 3), dtype=np.uint8)
    return [Image.fromarray(one).resize((side, side + 8), Image.Resampling.BICUBIC) for one in small]


@pytest.fixture
def several(tmp_path: Path) -> list[Any]:
    """Eight pictures in all the forms that there are: paths, PIL images, arrays, bytes."""
    given: list[Any] = list(pictures())
    for place in (0, 1):
        given[place].save(tmp_path / f"{place}.png")
        given[place] = tmp_path / f"{place}.png"
    given[2] = np.asarray(given[2])
    given[3] = np.asarray(given[3]) / 255
    given[4].save(buffer := BytesIO(), "PNG")
    given[4] = buffer.getvalue()
    return given


def test_pictures_of_every_form_are_learned_and_found(several: list[Any], tmp_path: Path) -> None:
    memory = uhop_cli.learn(several, uhop_cli.StoreSettings(size=16))
    assert memory.spec.shape == (16, 16, 3)
    assert memory.shapes is not None
    assert memory.shapes.tolist() == [[40, 48]] * 8
    assert memory.name(0) == str(tmp_path / "0.png").encode()
    assert memory.name(5) == b"5"
    answer = uhop_cli.retrieve(memory, several)
    np.testing.assert_array_equal(answer.weights.argmax(axis=1), np.arange(8))
    for place, one in enumerate(several):
        assert uhop_cli.retrieve(memory, one if place not in (2, 3) else [one]).weights.argmax() == place
    torn = several[6].convert("RGBA")
    torn.paste((9, 9, 9, 0), (0, 20, 40, 48))
    assert uhop_cli.retrieve(memory, [torn, several[7]]).weights.argmax(axis=1).tolist() == [6, 7]
    restorer = uhop_cli.Restorer(memory)
    results = restorer.restore([*several[:2], torn])
    assert [result.match.name for result in results if result.match] == [memory.name(row).decode() for row in (0, 1, 6)]
    one = restorer.restore(several[5])
    assert one.match is not None
    assert one.match.name == "5"
    assert one.picture.size == (16, 16)
    assert restorer.restore([]) == []


def test_pictures_with_transparency_are_found_on_any_background() -> None:
    discs = [picture.convert("RGBA") for picture in pictures()]
    for disc in discs:
        disc.paste((0, 0, 0, 0), (0, 0, 40, 20))
    memory = uhop_cli.learn(discs, uhop_cli.StoreSettings(size=16))
    assert memory.opacity is not None
    assert memory.opacity[0, 0, 0] == 0
    assert memory.opacity[0, 15, 0] == 255
    on_red = [Image.alpha_composite(Image.new("RGBA", disc.size, (200, 30, 30, 255)), disc) for disc in discs]
    assert uhop_cli.retrieve(memory, on_red).weights.argmax(axis=1).tolist() == list(range(8))
    assert uhop_cli.retrieve(memory, discs).weights.argmax(axis=1).tolist() == list(range(8))


def test_a_folder_is_its_pictures(tmp_path: Path) -> None:
    for place, picture in enumerate(pictures(3)):
        picture.save(tmp_path / f"{place}.png")
    (tmp_path / "notes.txt").write_text("none")
    memory = uhop_cli.learn(tmp_path)
    assert [Path(memory.name(row).decode()).name for row in range(3)] == ["0.png", "1.png", "2.png"]
    assert memory.spec.shape == (48, 40, 3)  # their own size, as `uhop store` does
    assert len(uhop_cli.learn([tmp_path, pictures(5)[4]])) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "NoneType is no picture"),
        (3, "int is no picture"),
        ({"a": 1}, "dict is no picture"),
        ([], "no images"),
        ([None], "image 0: a NoneType"),
        (["no-such.png"], "no-such.png"),
        ("no-such.png", "no-such.png"),
        ([IMAGES[0], np.zeros((2, 2, 7))], "image 1: "),
        (np.zeros((3, 4, 4), np.int64), "int64"),
    ],
)
def test_what_is_no_picture_is_an_error_with_a_hint(wrong: Any, message: str, tmp_path: Path) -> None:
    memory = uhop_cli.learn(IMAGES, self_test=False)
    with pytest.raises(UhopError, match=message) as caught:
        uhop_cli.learn(wrong)
    assert caught.value.hint or caught.value.cure
    if not isinstance(wrong, np.ndarray):
        with pytest.raises(UhopError):
            uhop_cli.retrieve(memory, wrong)
        if wrong != []:
            with pytest.raises(UhopError):
                uhop_cli.Restorer(memory).restore(wrong)


def test_one_picture_of_the_patterns_size_may_have_noise() -> None:
    memory = uhop_cli.learn(IMAGES)
    noisy = IMAGES[4] / 255 + np.random.default_rng(0).normal(0, 0.3, IMAGES[4].shape)
    assert uhop_cli.retrieve(memory, noisy).weights.argmax() == 4
    assert uhop_cli.retrieve(memory, [noisy, noisy]).weights.argmax(axis=1).tolist() == [4, 4]
    with pytest.raises(SettingsError, match="visible is for arrays"):
        uhop_cli.retrieve(memory, [Image.fromarray(IMAGES[0])], visible=np.ones((1, 300), bool))


def test_a_file_that_is_cut_short_is_not_learned(tmp_path: Path) -> None:
    Image.fromarray(IMAGES[0].repeat(9, axis=0)).save(tmp_path / "a.bmp")
    (tmp_path / "cut.bmp").write_bytes((tmp_path / "a.bmp").read_bytes()[:-900])
    with pytest.raises(UhopError, match="cut short"):
        uhop_cli.learn([tmp_path / "cut.bmp"])


def test_a_memory_says_what_it_is_and_shows_it() -> None:
    memory = uhop_cli.learn(IMAGES, self_test=False)
    assert repr(memory) == f"<uhop Memory: 15 patterns of 10 x 10 RGB from 15 files, D = {len(memory.W)}>"
    assert memory.W.shape == (memory.kernel.feature_dim, 300)
    with Image.open(BytesIO(memory._repr_png_())) as shown:
        assert shown.size == (12 * (60 + 2) + 2, 2 * (60 + 2) + 2)
        assert np.array_equal(np.asarray(shown)[2:62:6, 2:62:6], IMAGES[0])


def test_the_picture_of_an_answer_is_the_original_page(tmp_path: Path) -> None:
    first, second = pictures(2, side=80)
    first.save(tmp_path / "scan.tif", save_all=True, append_images=[second])
    uhop_cli.store([tmp_path / "scan.tif"], tmp_path / "m.safetensors", uhop_cli.StoreSettings(size=16, pages="all"))
    result = uhop_cli.Restorer(tmp_path / "m.safetensors").restore(second)
    assert np.array_equal(np.asarray(result.picture), np.asarray(second))
    assert result._repr_png_().startswith(b"\x89PNG")
    assert "scan.tif#2, certain>" in repr(result)
