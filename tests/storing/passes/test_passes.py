"""Passes shard by shard: the sums of the whole, and the same bytes whoever does the pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uhop_cli.arrays import joined_rows
from uhop_cli.errors import MemoryFileError, SettingsError
from uhop_cli.evidence.shortlist import codes
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.kernel.closed_form import decompose, whitening
from uhop_cli.memory.file.reader import load
from uhop_cli.storing.passes import passes
from uhop_cli.storing.passes.passes import ByShard, PatternRows, Threads, Whole
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store

SPEC = PatternSpec(6, 5, 3)
BOUNDS = (0, 7, 8, 40)
PLAIN = StoreSettings(self_test="off", local="off")


class Sent:
    """A crew that is sent its pieces, as to another process, and does the last first."""

    def __init__(self) -> None:
        self.pieces = 0

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        cloudpickle = pytest.importorskip("cloudpickle")
        sent = [cloudpickle.dumps((function, item)) for item in items]
        self.pieces += len(sent)
        done = [cloudpickle.loads(piece) for piece in reversed(sent)]
        yield from reversed([cloudpickle.loads(cloudpickle.dumps(work(item))) for work, item in done])


@pytest.fixture
def whole() -> Whole:
    rng = np.random.default_rng(0)
    opacity = np.where(rng.random((40, 5, 6)) < 0.5, 255, 90).astype(np.uint8)
    return Whole(SPEC, rng.integers(0, 256, (40, 5, 6, 3), dtype=np.uint8), opacity)


def _by_shard(whole: Whole, folder: Path, crew: Any) -> ByShard:
    (folder / "patterns").write_bytes(b"before" + whole.patterns.tobytes())
    return ByShard.of(whole, folder / "patterns", 6, BOUNDS, crew)


@pytest.mark.parametrize("mapped", [1 << 20, 0])
@pytest.mark.parametrize("crew", [Threads(), Sent()])
def test_every_pass_is_that_of_the_whole(
    whole: Whole, tmp_path: Path, crew: Any, mapped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined_rows, "MAPPED", mapped)
    monkeypatch.setattr(passes, "CHUNK_BYTES", 4 * 5 * SPEC.dim)
    monkeypatch.setattr(codes, "WORTH", 1)
    shards = _by_shard(whole, tmp_path, crew)
    np.testing.assert_allclose(shards.second_moment(), whole.second_moment(), rtol=1e-6)
    kernel = whitening(decompose(whole.patterns, feature_dim=9))
    (norms, kept), (wanted, same) = shards.encode(kernel), whole.encode(kernel)
    np.testing.assert_allclose(norms, wanted, rtol=1e-5)
    for name in ("sums", "squares", "norms", "bands", "band_scales", "variances", "opacity"):
        np.testing.assert_allclose(getattr(kept, name), getattr(same, name), rtol=1e-4, atol=1e-6, err_msg=name)
    made = shards.codes(0)
    assert made is not None
    for one, other in zip(made, whole.codes(0) or (), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert one.shape == other.shape
    assert made[0].flags.c_contiguous  # one memory a column, and the memories one beside the other


def test_few_pictures_have_no_codes(whole: Whole, tmp_path: Path) -> None:
    assert _by_shard(whole, tmp_path, Threads()).codes(0) is None


def test_progress_goes_by_shards(whole: Whole, tmp_path: Path) -> None:
    told: list[Any] = []
    shards = _by_shard(Whole(whole.spec, whole.patterns, None, told.append), tmp_path, Threads())
    shards.second_moment()
    assert [(step.stage, step.done, step.total) for step in told] == [("learn", end, 40) for end in BOUNDS[1:]]


def test_a_folder_that_a_worker_does_not_see_is_named(tmp_path: Path) -> None:
    with pytest.raises(MemoryFileError, match="a worker does not see it") as caught:
        PatternRows(str(tmp_path / "gone"), 0, SPEC, 0, 3).patterns()
    assert str(tmp_path) in caught.value.message
    assert "all workers see" in (caught.value.hint or "")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Pictures, a copy, one with transparency, and a file that is none."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(90):
        pixels = rng.integers(0, 256, (4, 4, 4 if number == 5 else 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    (folder / "copy.png").write_bytes((folder / "03.png").read_bytes())
    (folder / "none.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    np.save(folder / "rows.npy", rng.integers(0, 256, (20, 4, 4, 3), dtype=np.uint8))
    return folder


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_bytes_whoever_does_the_pieces(images: Path, tmp_path: Path) -> None:
    """More pictures than values, so that the second moment is used; then some more are added."""
    paths, later = [images, images / "rows.npy"], tmp_path / "later"
    later.mkdir()
    for number in range(9):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(later / f"{number}.png")
    made = []
    for name, crew in (("here", None), ("sent", Sent())):
        (tmp_path / name).mkdir()
        target = tmp_path / name / "m.safetensors"
        report = store(paths, target, PLAIN, shards=3, crew=crew)
        assert (report.patterns, report.stored, len(report.skipped), report.shards) == (110, 111, 1, 3)
        first = _bytes(tmp_path / name)
        store([later], target, PLAIN, add=True, crew=crew)
        made.append((first, _bytes(tmp_path / name)))
        assert crew is None or crew.pieces > 20 + 2 * 2 * 3
    assert made[0] == made[1]
    one = tmp_path / "here" / "one.safetensors"
    store(paths, one, PLAIN)
    form = load(one).kernel.weight
    form = form.T @ form  # of nearly equal singular values the vectors may turn; what they make does not
    assert made[0][0].keys() != made[0][1].keys()  # another version, under other names
    (tmp_path / "first").mkdir()
    for name, data in made[0][0].items():
        (tmp_path / "first" / name).write_bytes(data)
    weight = load(tmp_path / "first" / "m.safetensors").kernel.weight
    np.testing.assert_allclose(weight.T @ weight, form, atol=1e-5 * np.abs(form).max())


def test_a_crew_has_nothing_to_do_for_one_file(images: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="this is one file"):
        store([images], tmp_path / "m.safetensors", PLAIN, crew=Sent())
