"""Laws of the whole way from picture to file and back, on pictures and orders that hypothesis makes up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from uhop_cli.images.decode import decode
from uhop_cli.images.patterns import to_pattern
from uhop_cli.memory.export import export
from uhop_cli.memory.file.reader import load, verify
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.settings import QuerySettings
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import remove, store

LOSSLESS = ("png", "bmp", "tiff", "ppm")
Factory = pytest.TempPathFactory


def picture(seed: int, side: int, gray: bool, transparent: bool = False) -> Image.Image:
    """A smooth random picture, different for each seed."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4) if gray else (4, 4, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
    if transparent:
        image.putalpha(Image.fromarray(np.random.default_rng(seed + 1).integers(0, 256, (side, side), dtype=np.uint8)))
    return image


@settings(max_examples=8, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 1000), min_size=2, max_size=5, unique=True),
    kinds=st.lists(st.sampled_from(LOSSLESS), min_size=5, max_size=5),
    side=st.integers(3, 20),
    gray=st.booleans(),
)
def test_decode_pattern_file_export_and_back_is_exact(
    tmp_path_factory: Factory, seeds: list[int], kinds: list[str], side: int, gray: bool
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    (folder / "images").mkdir()
    expected = {}
    for seed, kind in zip(seeds, kinds, strict=False):
        image = picture(seed, side, gray)
        image.save(folder / "images" / f"{seed}.{kind}")
        expected[f"{seed}"] = np.asarray(image).reshape(side, side, -1)
    store([folder / "images"], folder / "m.safetensors")
    memory = verify(folder / "m.safetensors")
    for path in export(memory, folder / "out"):
        back = decode(path.read_bytes())
        np.testing.assert_array_equal(back.pixels, expected[path.stem])
        np.testing.assert_array_equal(to_pattern(back, memory.spec), expected[path.stem])
    store(sorted((folder / "out").iterdir()), folder / "again.safetensors")  # named one by one, as uhop's own are passed over
    again = load(folder / "again.safetensors")
    rows = {memory.patterns[row].tobytes() for row in range(len(memory))}
    assert {again.patterns[row].tobytes() for row in range(len(again))} == rows
    assert again.spec == memory.spec


@settings(max_examples=5, deadline=None)
@given(
    kept=st.lists(st.integers(0, 500), min_size=2, max_size=5, unique=True),
    added=st.lists(st.integers(501, 1000), min_size=1, max_size=3, unique=True),
    one_at_a_time=st.booleans(),
    transparent=st.booleans(),
)
def test_added_and_removed_is_never_added(
    tmp_path_factory: Factory, kept: list[int], added: list[int], one_at_a_time: bool, transparent: bool
) -> None:
    folder = tmp_path_factory.mktemp("add")
    for place, seeds in (("images", kept), ("more", added)):
        (folder / place).mkdir()
        for seed in seeds:
            picture(seed, 8, False, transparent).save(folder / place / f"{seed}.png")
    target = folder / "m.safetensors"
    store([folder / "images"], target)
    never = target.read_bytes()
    store([folder / "more"], target, add=True)
    assert target.read_bytes() != never
    names = [f"more/{seed}.png" for seed in added]
    for group in [[name] for name in names] if one_at_a_time else [names]:
        remove(target, group)
    assert target.read_bytes() == never


@settings(max_examples=4, deadline=None)
@given(data=st.data(), seeds=st.lists(st.integers(0, 1000), min_size=5, max_size=8, unique=True))
def test_any_order_of_files_gives_the_same_retrieval(tmp_path_factory: Factory, data: st.DataObject, seeds: list[int]) -> None:
    folder = tmp_path_factory.mktemp("order")
    for seed in seeds:
        picture(seed, 10, False).save(folder / f"{seed}.png")
    results = []
    orders = (seeds, data.draw(st.permutations(seeds)))
    for number, order in enumerate(orders):
        target = folder / f"{number}.safetensors"
        store([folder / f"{seed}.png" for seed in order], target, StoreSettings(regularization=0.01))
        assert {bytes(name) for name in load(target).entries.names()} == {f"{seed}.png".encode() for seed in seeds}
        results.append(Restorer(target, QuerySettings(top=1)))
    for seed in seeds:
        torn = np.asarray(picture(seed, 10, False)).copy()
        torn[6:] = 255
        query = folder / "torn.png"
        Image.fromarray(torn).save(query)
        first, second = (restorer.restore(query) for restorer in results)
        assert first.answer.matches[0].name == second.answer.matches[0].name == f"{seed}.png"
        assert first.answer.kernel == second.answer.kernel
        np.testing.assert_allclose(first.answer.matches[0].weight, second.answer.matches[0].weight, atol=1e-4)
        np.testing.assert_array_equal(first.pictures.state, second.pictures.state)
