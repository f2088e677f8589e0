"""The opacity of pictures on its way: into the file, through --add and --remove, and to the answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from uhop_cli.arrays.device import Device
from uhop_cli.evidence.backgrounds.opacity import background_grid, opacity_sums
from uhop_cli.evidence.confidence import Confidence
from uhop_cli.evidence.shortlist import codes as compact
from uhop_cli.evidence.shortlist.index import CodeIndex
from uhop_cli.images.patterns import to_vectors
from uhop_cli.memory.file.consistency import fault
from uhop_cli.memory.file.header import read_header
from uhop_cli.memory.file.reader import load, verify
from uhop_cli.querying import by_evidence
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import QuerySettings
from uhop_cli.storing import opacity as module
from uhop_cli.storing.opacity import OpacityRows
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import remove, store

SIDE = 16
SETTINGS = StoreSettings(self_test="off")


def drawing(seed: int) -> Image.Image:
    """Shapes of several colours on nothing."""
    draws = np.random.default_rng(seed)
    image = Image.new("RGBA", (SIDE, SIDE))
    pen = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = draws.integers(0, SIDE - 5, 2).tolist()
        pen.rectangle((x, y, x + 4, y + 3), fill=(*draws.integers(0, 256, 3).tolist(), 255))
    return image


def laid(image: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    ground = Image.new("RGBA", image.size, (*colour, 255))
    ground.alpha_composite(image)
    return ground.convert("RGB")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve drawings and two opaque pictures, stored."""
    place = tmp_path_factory.mktemp("stored")
    (place / "images").mkdir()
    rng = np.random.default_rng(0)
    for index in range(12):
        drawing(index).save(place / "images" / f"{index + 2:02}.png")
    for index in range(2):
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(place / "images" / f"{index:02}.png")
    store([place / "images"], place / "m.safetensors", SETTINGS)
    return place


def test_rows_are_kept_from_the_first_transparent_one_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 2)
    rows = [np.full((2, 3), value, np.uint8) for value in (255, 7, 0)]
    with OpacityRows(2, 3, str(tmp_path)) as opacity:
        for row in (None, rows[0], None, rows[1], None, rows[2]):
            opacity.append(row)
        found = opacity.close()
    assert found is not None
    np.testing.assert_array_equal(found, np.stack([rows[0], rows[0], rows[0], rows[1], rows[0], rows[2]]))
    with OpacityRows(2, 3) as opaque:
        opaque.append(None)
        opaque.append(rows[0])
        assert opaque.close() is None
    assert not list(tmp_path.iterdir())


def test_the_file_has_the_opacity_of_every_pattern(folder: Path) -> None:
    memory = verify(folder / "m.safetensors")
    assert memory.opacity is not None
    assert memory.statistics is not None
    for row in range(2, 14):
        np.testing.assert_array_equal(memory.opacity[row], np.asarray(drawing(row - 2))[:, :, 3])
    assert (memory.opacity[:2] == 255).all()
    sums = opacity_sums(
        background_grid(memory.spec.shape), to_vectors(memory.patterns), memory.opacity.reshape(14, -1).astype(np.float32) / 255
    )
    np.testing.assert_allclose(memory.statistics.opacity, sums, rtol=1e-5, atol=1e-5)


def test_opaque_pictures_have_none(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for index in range(3):
        laid(drawing(index), (9, 8, 7)).convert("RGBA").save(tmp_path / "images" / f"{index}.png")
    store([tmp_path / "images"], tmp_path / "m.safetensors", SETTINGS)
    assert not {"opacity", "opacity_sums"} & read_header(tmp_path / "m.safetensors").tensors.keys()
    engine = Retriever(load(tmp_path / "m.safetensors")).strategy.engine
    assert engine.opacity is None
    assert engine.statistics.backgrounds is None


def test_it_stays_when_pictures_are_added_and_taken_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    names = ["00.png", "02.png", "05.png"]
    for name in names:
        (tmp_path / "images" / name).write_bytes((folder / "images" / name).read_bytes())
    target = tmp_path / "m.safetensors"
    store([tmp_path / "images"], target, SETTINGS)
    (tmp_path / "images" / "new.png").write_bytes((folder / "images" / "07.png").read_bytes())
    store([tmp_path / "images"], target, add=True)
    added = load(target)
    assert added.opacity is not None
    np.testing.assert_array_equal(added.opacity[[1, 2, 3]], [np.asarray(drawing(seed))[:, :, 3] for seed in (0, 3, 5)])
    remove(target, ["02.png"])
    left = load(target)
    assert left.opacity is not None
    np.testing.assert_array_equal(left.opacity, added.opacity[[0, 2, 3]])
    np.testing.assert_array_equal(left.statistics.opacity, added.statistics.opacity[[0, 2, 3]])
    remove(target, ["05.png", "new.png"])
    assert load(target).opacity is None  # all that is left is opaque


@pytest.mark.parametrize("queries", [3, 12])
def test_copies_on_other_colours_are_named(folder: Path, queries: int) -> None:
    memory = load(folder / "m.safetensors")
    rng = np.random.default_rng(1)
    colours = [(255, 255, 255), (0, 0, 0), *(tuple(colour) for colour in rng.integers(0, 256, (10, 3)).tolist())]
    copies = np.stack([np.asarray(laid(drawing(index), colours[index])) for index in range(queries)])
    covered = copies.copy()
    covered[:, SIDE // 2 :] = 0
    whole, half = (Retriever(memory).retrieve(to_vectors(asked)) for asked in (copies, covered))
    assert whole.weights.argmax(axis=1).tolist() == list(range(2, queries + 2))
    assert whole.kernels == ("identity",) * queries  # nothing but the background is another
    assert (half.weights.argmax(axis=1) == np.arange(2, queries + 2)).sum() >= queries - 2
    before = Retriever(replace(memory, opacity=None)).retrieve(to_vectors(copies))
    assert "identity" not in before.kernels


def test_statistics_are_made_where_the_file_has_none(folder: Path) -> None:
    memory = load(folder / "m.safetensors")
    asked = to_vectors(np.stack([np.asarray(laid(drawing(index), (250, 240, 30))) for index in range(4)]))
    whole = Retriever(memory).retrieve(asked)
    bare = replace(memory, statistics=replace(memory.statistics, opacity=None))
    np.testing.assert_allclose(Retriever(bare).retrieve(asked).scores, whole.scores, rtol=1e-4, atol=0.5)


def test_some_memories_are_asked_with_their_own_opacity(folder: Path) -> None:
    memory = load(folder / "m.safetensors")
    strategy = Retriever(memory).strategy
    asked = to_vectors(np.asarray(laid(drawing(3), (250, 240, 30)))[None])
    rows = np.array([[0, 4, 5, 9]])
    assert rows[0, strategy.among(asked, rows).weights.argmax()] == 5


@pytest.mark.parametrize("wrong", [np.zeros((13, 8, 4)), np.full((14, 8, 4), -1), np.full((14, 8, 4), np.nan), np.zeros(())])
def test_sums_that_do_not_fit_are_refused(folder: Path, wrong: np.ndarray) -> None:
    memory = load(folder / "m.safetensors")
    spoilt = replace(memory.statistics, opacity=wrong.astype(np.float32))
    assert "opacity_sums" in (fault(replace(memory, statistics=spoilt)) or "")


@pytest.mark.parametrize("bounds", [(0.0, 0.0), (0.0, 2.0)])  # the shortlist's answer stands, or all memories are examined
def test_two_stages_know_the_opacity_too(folder: Path, bounds: tuple[float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    memory = load(folder / "m.safetensors")
    monkeypatch.setattr(compact, "WORTH", 1)
    codes, directions = compact.compact_codes(memory.spec, memory.patterns, 0) or (None, None)
    monkeypatch.setattr(by_evidence, "OPEN", bounds)
    monkeypatch.setattr(CodeIndex.find, "__defaults__", (13,))
    asked = to_vectors(np.stack([np.asarray(laid(drawing(index), (250, 240, 30))) for index in range(4)]))
    answer = Retriever(replace(memory, compact=codes, compact_map=directions)).retrieve(asked)
    assert [answer.ranking(place, 1)[0] for place in range(4)] == [2, 3, 4, 5]
    assert answer.kernels == ("identity",) * 4


@pytest.mark.parametrize("queries", [3, 12])
def test_a_device_gives_the_same_answers(folder: Path, queries: int) -> None:
    pytest.importorskip("torch")
    memory = load(folder / "m.safetensors")
    asked = to_vectors(np.stack([np.asarray(laid(drawing(index), (9, 240, 130))) for index in range(queries)]))
    asked[0, ::2] = 0.25
    host, device = (Retriever(memory, device=Device(kind)).retrieve(asked) for kind in ("cpu", "torch-cpu"))
    np.testing.assert_allclose(device.scores, host.scores, rtol=1e-3, atol=0.5)
    assert device.kernels == host.kernels


def test_a_query_that_is_transparent_itself_is_asked_on_the_background(folder: Path, tmp_path: Path) -> None:
    """Nothing is free then: the answers are those of a memory without opacity."""
    image = drawing(4)
    image.alpha_composite(Image.new("RGBA", (6, 9), (200, 0, 0, 255)), (2, 3))
    image.save(tmp_path / "query.png")
    memory = load(folder / "m.safetensors")
    settings = QuerySettings(min_confidence=0)
    for other in (replace(memory, opacity=None), memory):
        found = Restorer(other, settings).restore(tmp_path / "query.png")
        plain = Retriever(replace(memory, opacity=None)).retrieve(found.arrays["x"][:1])
        np.testing.assert_array_equal(found.arrays["weights"], plain.weights[0])
    laid(image, (128, 128, 128)).save(tmp_path / "laid.png")  # the same pixels, of which nothing is known
    asked = Restorer(memory, settings)
    queries = [asked.prepare(tmp_path / name) for name in ("query.png", "laid.png")]
    np.testing.assert_array_equal(queries[0].pattern, queries[1].pattern)
    assert [query.on_background for query in queries] == [True, False]
    scores = [answer.arrays["weights"] for answer in asked.answer(queries)]
    assert [scores[0].argmax(), scores[1].argmax()] == [6, 6]


def test_the_self_test_lays_copies_on_drawn_colours(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "images").symlink_to(folder / "images")
    report = store([tmp_path / "images"], tmp_path / "m.safetensors")
    rows = [row for row in report.self_test if row["corruption"] == "background"]
    assert [row["level"] for row in rows][:4] == ["none", "jpeg:10", "jpeg:40", "jpeg:80"]
    assert rows[0]["accuracy"] == 1
    assert rows[0]["queries"] == 12
    opaque = store([folder / "images" / "00.png", folder / "images" / "01.png"], tmp_path / "opaque.safetensors")
    assert not [row for row in opaque.self_test if row["corruption"] == "background"]


@pytest.fixture
def unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every calibration says .25, whatever it is told."""
    monkeypatch.setattr(Confidence, "__call__", lambda self, facts: np.full(len(facts), 0.25, np.float32))


@pytest.mark.usefixtures("unsure")
def test_a_clean_copy_is_certain_on_any_colour_and_a_transparent_query_has_a_confidence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "images").symlink_to(folder / "images")
    store([tmp_path / "images"], tmp_path / "m.safetensors")
    memory = load(tmp_path / "m.safetensors")
    images = [laid(drawing(index), (250, 240, 10 * index)) for index in range(6)]
    other = images[5].copy()
    ImageDraw.Draw(other).point((3, 4), (9, 9, 90))
    found = Retriever(memory).retrieve(to_vectors(np.stack([np.asarray(image) for image in [*images, other]])))
    assert found.weights.argmax(axis=1).tolist() == [2, 3, 4, 5, 6, 7, 7]
    assert (found.confidence[:6] == 1).all()
    assert found.confidence[6] == 0.25
    image = drawing(4)
    ImageDraw.Draw(image).point((3, 4), (9, 9, 90))
    image.save(tmp_path / "query.png")
    asked = Restorer(memory, QuerySettings(min_confidence=0))
    query = asked.prepare(tmp_path / "query.png")
    assert query.on_background
    assert asked.answer([query])[0].answer.confidence is not None


@pytest.mark.usefixtures("unsure")
def test_of_two_that_look_the_same_on_a_colour_neither_is_certain(tmp_path: Path) -> None:
    """A drawing, and the same with a spot that cannot be seen on yellow."""
    (tmp_path / "images").mkdir()
    for index in range(8):
        drawing(index).save(tmp_path / "images" / f"{index}.png")
    spotted = drawing(0)
    clear = np.argwhere(np.asarray(spotted)[:, :, 3] == 0)[:9]
    for y, x in clear.tolist():
        spotted.putpixel((x, y), (250, 240, 0, 255))
    spotted.save(tmp_path / "images" / "spotted.png")
    store([tmp_path / "images"], tmp_path / "m.safetensors")
    asked = to_vectors(np.stack([np.asarray(laid(drawing(0), colour)) for colour in ((250, 240, 0), (0, 0, 200))]))
    found = Retriever(load(tmp_path / "m.safetensors")).retrieve(asked)
    assert found.confidence.tolist() == [0.25, 1]


@pytest.mark.usefixtures("unsure")
def test_a_clean_picture_of_something_else_is_as_sure_as_such_answers_were(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "images").symlink_to(folder / "images")
    store([tmp_path / "images"], tmp_path / "m.safetensors")
    memory = load(tmp_path / "m.safetensors")
    calibration = memory.record["calibration"]
    assert 0 < calibration["another"] < 1
    clean = laid(drawing(3), (250, 240, 30))
    other = clean.copy()
    for index, place in enumerate([(1, 2), (4, 9), (7, 5), (9, 12), (12, 3), (13, 14)]):
        other.putpixel(place, (40 + 30 * index, 90, 200 - 20 * index))
    asked = to_vectors(np.stack([np.asarray(clean), np.asarray(other)]))
    for share, expected in ((0.125, 0.125), (None, 0.25), ("often", 0.25), (1.5, 0.25)):
        told = replace(memory, record=memory.record | {"calibration": calibration | {"another": share}})
        found = Retriever(told).retrieve(asked)
        assert found.weights.argmax(axis=1).tolist() == [5, 5]
        assert found.confidence.tolist() == [1, expected]
