"""`store`, `add` and `remove` on real files: what is kept, what is told, and that nothing is lost on the way."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.errors import ImageError, MemoryFileError, OutputError, ResourceError, SettingsError
from uhop_cli.files.atomic import AtomicFile
from uhop_cli.memory.file import replacing
from uhop_cli.memory.file.reader import load, verify
from uhop_cli.progress import Progress
from uhop_cli.storing import needs, plan
from uhop_cli.storing import store as store_module
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import remove, store


def picture(seed: int, size: tuple[int, int] = (12, 12)) -> Image.Image:
    """A smooth random picture, different for each seed."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for index in range(8):
        picture(index).save(folder / f"img{index}.png")
    picture(8).save(folder / "sub" / "deep.png")
    return folder


def test_store_keeps_every_image_under_its_relative_name(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    report = store([images], target)
    memory = verify(target)
    assert report.stored == 9
    assert memory.entries.names() == [f"images/img{i}.png".encode() for i in range(8)] + [b"images/sub/deep.png"]
    assert memory.spec.shape == (12, 12, 3)  # the images' own size, which all share
    np.testing.assert_array_equal(memory.patterns[3], np.asarray(Image.open(images / "img3.png")))
    assert memory.entries.digest(3) == hashlib.sha256((images / "img3.png").read_bytes()).digest()
    document = report.to_json()
    assert document["schema"] == "uhop.store/1"
    assert document["bytes"] == target.stat().st_size
    assert document["stage1"]["loss_final"] < document["stage1"]["loss_initial"]
    assert all(row["accuracy"] >= row["low"] for row in document["self_test"])


def test_same_input_gives_the_same_bytes(images: Path, tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        store([images], tmp_path / "m.safetensors", force=True)
        contents.append((tmp_path / "m.safetensors").read_bytes())
    assert contents[0] == contents[1]
    assert str(tmp_path).encode() not in contents[0]


def test_duplicates_are_stored_once_with_all_their_names(images: Path, tmp_path: Path) -> None:
    (images / "same.png").write_bytes((images / "img1.png").read_bytes())
    picture(1).save(images / "other-bytes.bmp")
    report = store([images], tmp_path / "m.safetensors")
    assert report.duplicates == (("images/img1.png", "images/other-bytes.bmp", "images/same.png"),)
    assert report.identical == 0  # one of the three differs in its bytes
    assert (report.stored, report.patterns) == (11, 9)
    memory = load(tmp_path / "m.safetensors")
    row = int(memory.entries.name_entry[1])
    names = [memory.entries.name(int(index)) for index in memory.entries.files_of(row)]
    assert names == [
        b"images/img1.png",
        b"images/other-bytes.bmp",
        b"images/same.png",
    ]


def test_unreadable_files_are_named_with_a_reason_and_the_rest_is_stored(images: Path, tmp_path: Path) -> None:
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    report = store([images], tmp_path / "m.safetensors")
    assert [item.shown for item in report.skipped] == ["images/broken.png"]
    assert report.skipped[0].reason
    assert "\n" not in report.skipped[0].reason
    assert report.stored == 9
    with pytest.raises(ImageError, match=r"broken\.png"):
        store([images], tmp_path / "strict.safetensors", StoreSettings(strict=True))
    assert not (tmp_path / "strict.safetensors").exists()


def test_an_existing_file_is_not_replaced_without_force(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        store([images], target)
    with pytest.raises(MemoryFileError):
        store([images], target, add=True)
    assert target.read_bytes() == b"precious"
    store([images], target, force=True)
    assert len(load(target)) == 9


def test_add_takes_new_files_replaces_changed_ones_and_keeps_missing_ones(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    store([images], target)
    picture(100).save(images / "img2.png")
    picture(101).save(images / "new.png")
    (images / "img5.png").unlink()
    report = store([images], target, add=True)
    assert (report.added, report.changed, report.unchanged, report.removed) == (1, 1, 7, 0)
    memory = verify(target)
    assert len(memory) == 10
    index = memory.entries.find(b"images/img2.png")
    assert index is not None
    row = int(memory.entries.name_entry[index])
    np.testing.assert_array_equal(memory.patterns[row], np.asarray(Image.open(images / "img2.png")))
    assert memory.entries.find(b"images/img5.png") is not None
    assert store([images], target, add=True, prune=True).removed == 1
    assert load(target).entries.find(b"images/img5.png") is None


def test_add_then_remove_equals_never_added(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    store([images], target)
    before = target.read_bytes()
    picture(200).save(tmp_path / "extra.png")
    assert store([tmp_path / "extra.png"], target, add=True).stored == 10
    assert target.read_bytes() != before
    report = remove(target, ["extra.png"])
    assert report.removed == 1
    assert target.read_bytes() == before
    with pytest.raises(MemoryFileError, match="not in the memory"):
        remove(target, ["extra.png"])


def test_keep_kernel_only_encodes(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    store([images], target)
    kernel = load(target).kernel
    picture(300).save(images / "late.png")
    store([images], target, add=True, keep_kernel=True)
    memory = verify(target)
    assert len(memory) == 10
    np.testing.assert_allclose(
        memory.kernel.features(np.eye(432, dtype=np.float32), 0),
        kernel.features(np.eye(432, dtype=np.float32), 0),
        rtol=1e-4,
        atol=1e-6,
    )


def test_order_of_files_does_not_change_the_memory_but_for_its_order(images: Path, tmp_path: Path) -> None:
    files = sorted(images.rglob("*.png"))
    store(files, tmp_path / "a.safetensors")
    store(files[::-1], tmp_path / "b.safetensors")
    a, b = load(tmp_path / "a.safetensors"), load(tmp_path / "b.safetensors")
    assert a.entries.names() == b.entries.names()[::-1]
    np.testing.assert_array_equal(a.patterns, b.patterns[::-1])


def test_embedded_originals_survive_add_and_remove(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    store([images], target, StoreSettings(embed=True))
    picture(400).save(images / "new.png")
    store([images], target, add=True)
    memory = verify(target)
    assert memory.originals is not None
    for index in range(len(memory.entries)):
        content = (tmp_path / os.fsdecode(memory.entries.name(index))).read_bytes()
        assert memory.originals.content(index) == content
    remove(target, ["images/img0.png"])
    assert verify(target).originals is not None


def test_arrays_are_stored_row_by_row(tmp_path: Path) -> None:
    stack = np.stack([np.asarray(picture(index)) for index in range(6)])
    np.save(tmp_path / "stack.npy", stack)
    np.save(tmp_path / "floats.npy", stack / 255)
    report = store([tmp_path / "stack.npy"], tmp_path / "m.safetensors")
    memory = load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(memory.patterns, stack)
    assert memory.entries.name(4) == b"stack.npy[4]"
    store([tmp_path / "floats.npy"], tmp_path / "f.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "f.safetensors").patterns, stack)
    assert report.stored == 6
    np.save(tmp_path / "object.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(ImageError, match=r"object\.npy"):
        store([tmp_path / "object.npy"], tmp_path / "o.safetensors")


def test_no_image_one_image_and_constant_images_are_defined(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no images found"):
        store([tmp_path / "empty"], tmp_path / "m.safetensors")
    assert list(tmp_path.glob(".uhop*")) == []
    picture(1).save(tmp_path / "one.png")
    report = store([tmp_path / "one.png"], tmp_path / "one.safetensors")
    assert report.patterns == 1
    assert any("only one" in note for note in report.notes)
    for shade in (0, 90, 200):
        Image.new("RGB", (12, 12), (shade, shade, shade)).save(tmp_path / "empty" / f"{shade}.png")
    report = store([tmp_path / "empty"], tmp_path / "flat.safetensors")
    assert report.patterns == 3
    assert any("plain colour" in note for note in report.notes)
    verify(tmp_path / "flat.safetensors")


@pytest.mark.parametrize(
    "settings",
    [
        StoreSettings(solver="gradient", iterations=5),
        StoreSettings(solver="gradient", iterations=5, learning_rate=0.01, loss="max", feature_dim=20, init="orthogonal"),
        StoreSettings(solver="gradient", iterations=3, loss="temperature", batch_size=4),
        StoreSettings(protocol="paper", iterations=5),
        StoreSettings(regularization=0.01, feature_dim=5),
        StoreSettings(size=8, color="gray"),
        StoreSettings(size="10x6", background="#ff0000"),
    ],
)
def test_every_setting_of_stage_one_stores_and_verifies(images: Path, tmp_path: Path, settings: StoreSettings) -> None:
    report = store([images], tmp_path / "m.safetensors", settings)
    memory = verify(tmp_path / "m.safetensors")
    assert memory.record["settings"]["solver"] == settings.solver
    if settings.protocol == "paper":
        assert memory.beta == 1.0
        assert memory.kernel.feature_dim <= 9  # W compressed to the span of the features
    if settings.feature_dim != "auto" and settings.solver != "gradient":
        assert memory.kernel.feature_dim == 5
    assert report.stage1["loss_final"] <= report.stage1["loss_initial"] + 1e-6


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in (
        {"solver": "magic"},
        {"iterations": -1},
        {"learning_rate": 0.0},
        {"t": 0.0},
        {"feature_dim": 0},
        {"regularization": -1.0},
        {"batch_size": 1},
        {"protocol": "folk"},
    ):
        with pytest.raises(SettingsError):
            StoreSettings(**wrong)  # type: ignore[arg-type]


def test_dry_run_writes_nothing_and_forecasts(images: Path, tmp_path: Path) -> None:
    report = store([images], tmp_path / "m.safetensors", dry_run=True)
    assert report.dry_run
    assert report.stored == 9
    assert not (tmp_path / "m.safetensors").exists()
    real = store([images], tmp_path / "m.safetensors")
    assert report.bytes < 4 * real.bytes


def test_too_little_memory_or_disk_is_said_before_the_work(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(needs, "available_memory", lambda: 1_000_000)
        patch.setattr(store_module, "take", None)  # not reached
        with pytest.raises(ResourceError, match="GB of memory"):
            store([images], tmp_path / "m.safetensors")
    monkeypatch.setattr(plan.shutil, "disk_usage", lambda path: os.statvfs_result((0,) * 10) and type("U", (), {"free": 10})())
    with pytest.raises(OutputError, match="MB are needed"):
        store([images], tmp_path / "m.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_an_interrupt_at_any_stage_leaves_the_old_file_whole_and_no_litter(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    store([images], target)
    before = target.read_bytes()
    picture(500).save(images / "new.png")
    for stage in ("read", "learn", "encode", "self-test"):

        def interrupt(progress: Progress, stage: str = stage) -> None:
            if progress.stage == stage:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store([images], target, add=True, progress=interrupt)
        assert target.read_bytes() == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "m.safetensors"]


def test_a_file_that_is_cut_short_is_stored_only_if_asked(images: Path, tmp_path: Path) -> None:
    cut = images / "cut.png"
    picture(99, (64, 64)).save(cut)
    data = cut.read_bytes()
    cut.write_bytes(data[: len(data) * 2 // 3])
    report = store([images], tmp_path / "m.safetensors")
    assert [item.shown for item in report.skipped] == ["images/cut.png"]
    assert "is cut short" in report.skipped[0].reason
    assert "--damaged" in report.skipped[0].why
    asked = store([images], tmp_path / "d.safetensors", StoreSettings(damaged=True))
    assert not asked.skipped
    assert asked.stored == report.stored + 1
    memory = load(tmp_path / "d.safetensors")
    row = int(memory.entries.name_entry[memory.entries.find(b"images/cut.png")])
    assert (memory.patterns[row][-1] == 128).all()  # what is missing lies on the background
    assert (memory.patterns[row][0] != 128).any()


def test_shards_that_a_killed_run_left_over_go_with_the_next(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it does, and be it nothing; a dry run leaves all as it is."""
    target = tmp_path / "m.safetensors"
    store([images], target, shards=2)
    for run in (lambda: store([images], target, add=True), lambda: remove(target, ["img3.png"])):
        with monkeypatch.context() as patched:
            patched.setattr(replacing, "clean_up", lambda path: None)
            patched.setattr(AtomicFile, "__init__", _ends_at_the_index)
            with pytest.raises(MemoryError):
                store([images], target, force=True, shards=2)
        left = sorted(tmp_path.glob("m*"))
        assert len(left) == 6  # two shards too many, and the note
        store([images], target, add=True, dry_run=True)
        assert sorted(tmp_path.glob("m*")) == left
        run()
        assert len(list(tmp_path.glob("m*"))) == 3
        verify(target)


def _ends_at_the_index(self: AtomicFile, path: str | Path) -> None:
    if str(path).endswith(".index.json"):
        raise MemoryError
    _INIT(self, path)


_INIT = AtomicFile.__init__
