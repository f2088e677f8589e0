"""The Python interface in memory: learn, retrieve. Memory files go through `store`, `Restorer`, `save` and `load`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.device import resolve_device
from uhop_cli.arrays.types import Bool, Float32, Int64, UInt8
from uhop_cli.errors import ImageError, SettingsError
from uhop_cli.images.discover import discover
from uhop_cli.images.given import Given, header_of, image_of, in_eight_bits, is_picture, name_of
from uhop_cli.images.patterns import PatternSpec, choose_spec, to_layers, to_query
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.memory import Memory
from uhop_cli.progress import OnProgress, Progress
from uhop_cli.querying.answer import Answer, joined
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.storing.assemble import Draft, learn_memory
from uhop_cli.storing.settings import StoreSettings

Result = TypeVar("Result")


def learn(
    images: Given | Iterable[Given],
    settings: StoreSettings | None = None,
    *,
    names: Sequence[str] | None = None,
    self_test: bool = True,
    progress: OnProgress | None = None,
) -> Memory:
    """Learn a kernel on images and return the memory of them.

    Args:
        images: an array (M, H, W) or (M, H, W, C) with C = 1 or 3 of uint8, or of floats in [0, 1], which are rounded to 8 bits:
            its images are the patterns. Or any number of pictures (`images.given`), mixed and of any size: paths, folders, PIL
            images, arrays; their patterns have the size, colours and background of `settings`, as those of `store`.
        settings: of Stage I and, unless `images` is an array, of the patterns.
        names: of the images; by default the paths of files, and the numbers of others.
        self_test: damage a sample of the images and retrieve it, which gives answers their confidence and the plain kernel its rho
            and beta. What the choice by evidence answers is the same without.
        progress: told how far the work is.

    Raises:
        SettingsError: the array is of another form, or there is no image in it.
        ImageError: something is no picture, or cannot be read.
    """
    settings = settings or StoreSettings()
    if isinstance(images, np.ndarray):
        pixels = _pixels(images)
        spec = PatternSpec(pixels.shape[2], pixels.shape[1], pixels.shape[3])
        drawn = _Drawn(pixels, [str(index) for index in range(len(pixels))])
    else:
        spec, drawn = _patterns(images, settings, progress)
        pixels = drawn.pixels
    labels = drawn.names if names is None else list(names)
    if len(labels) != len(pixels):
        raise SettingsError(f"{len(labels)} names for {len(pixels)} images", "give as many names as images, or none")
    rows_of: dict[bytes, int] = {}
    veils = [b""] * len(pixels) if drawn.opacity is None else [veil.tobytes() for veil in drawn.opacity]
    digests = [hashlib.sha256(image.tobytes() + veil).digest() for image, veil in zip(pixels, veils, strict=True)]
    rows = [rows_of.setdefault(digest, len(rows_of)) for digest in digests]
    first = np.unique(rows, return_index=True)[1]
    entries = Entries.build([label.encode() for label in labels], rows, digests, [image.nbytes for image in pixels])
    shapes = None if drawn.shapes is None else drawn.shapes[first]
    opacity = None if drawn.opacity is None else drawn.opacity[first]
    draft = Draft(spec, pixels[first], entries, opacity is not None, shapes=shapes, opacity=opacity)
    return learn_memory(draft, settings, test=self_test, progress=progress).memory


def retrieve(
    memory: Memory,
    queries: Given | Iterable[Given],
    *,
    visible: Bool | None = None,
    settings: RetrievalSettings | None = None,
    trace: bool = False,
    device: str = "auto",
) -> Answer:
    """Retrieve from a memory.

    Args:
        memory: what `learn` or `load` gave.
        queries: (Q, H, W[, C]) or (Q, d); uint8, or floats on the scale [0, 1] (values outside it are welcome: noise has them). Or
            one or several pictures (`images.given`) of any size: paths, PIL images, arrays; what is transparent in them is missing,
            unless the memory has transparent pictures itself.
        visible: the known values, bool, in the shape of `queries`; None: nothing is known to be missing.
        settings: steps, beta, separation, similarity.
        trace: keep the picture of each step.
        device: 'auto', 'cpu', 'cuda', ...

    Returns:
        weights (Q, M), pictures (T, Q, d), energies, steps and confidence; `answer.ranking(i, 3)` are the best
        matches of query i. Of a large memory `answer.rows` says which memories the weights are of.
    """
    rows, mask = _rows(queries, visible, memory)
    flop = 2.0 * len(rows) * len(memory) * memory.spec.dim * 10
    retriever = Retriever(memory, settings, resolve_device(device, flop), features_expected=len(rows))
    answers = [answer for _, answer in retriever.batches(rows, mask, trace=trace)]
    return answers[0] if len(answers) == 1 else joined(answers)


class _Drawn(NamedTuple):
    """Patterns to learn on.

    Attributes:
        pixels: (M, H, W, C).
        names: M of them.
        shapes: (M, 2) width and height of their pictures; None: the patterns'.
        opacity: (M, H, W) of the patterns; None: all are opaque.
    """

    pixels: UInt8
    names: list[str]
    shapes: Int64 | None = None
    opacity: UInt8 | None = None


def _patterns(images: Any, settings: StoreSettings, progress: OnProgress | None) -> tuple[PatternSpec, _Drawn]:
    """The patterns of pictures of any kind and size; each file is read twice, for its size and then for its pixels."""
    given = list(_each(images))
    if not given:
        raise SettingsError("no images", "give at least one")
    headers = [_named(header_of, item, place) for place, item in enumerate(given)]
    spec = choose_spec(headers, settings.size, settings.color, settings.background)
    pixels = np.empty((len(given), *spec.shape), np.uint8)
    opacity = np.full((len(given), spec.height, spec.width), 255, np.uint8)
    for place, item in enumerate(given):
        image = _named(partial(image_of, draft=(spec.width, spec.height)), item, place)
        if image.flaw is not None:
            raise ImageError(f"{name_of(item) or place}: {image.flaw}", "give a file that is whole")
        pixels[place], veil = to_layers(image, spec)
        opacity[place] = 255 if veil is None else veil
        if progress:
            progress(Progress("read", place + 1, len(given)))
    names = [name_of(item) or str(place) for place, item in enumerate(given)]
    shapes = np.array([(header.width, header.height) for header in headers], np.int64)
    return spec, _Drawn(pixels, names, shapes, None if opacity.min(initial=255) == 255 else opacity)


def _rows(queries: Any, visible: Bool | None, memory: Memory) -> tuple[Float32, Bool | None]:
    """Queries as rows (Q, d), and which of their values are known, None for all."""
    spec = memory.spec
    if isinstance(queries, list | tuple) and all(isinstance(item, np.ndarray) and item.size == spec.dim for item in queries):
        queries = np.stack([np.reshape(item, -1) for item in queries]) if queries else np.zeros((0, spec.dim))
    if isinstance(queries, np.ndarray) and queries.size == spec.dim and queries.shape in (spec.shape, spec.shape[:2]):
        queries = queries[None]  # one of the patterns' size
    if isinstance(queries, np.ndarray):
        if not len(queries):
            raise SettingsError("no queries", "give at least one")
        rows = queries.reshape(len(queries), -1)
        if rows.shape[1] != spec.dim:
            raise SettingsError(
                f"queries of {rows.shape[1]} values, memories of {spec.dim}",
                "give an array (Q, H, W, C) of the patterns' size, or a list of pictures of any size",
            )
        rows = np.asarray(rows / np.float32(255) if rows.dtype == np.uint8 else rows, np.float32)
        return rows, None if visible is None else np.reshape(visible, rows.shape)
    if visible is not None:
        raise SettingsError("visible is for arrays of the patterns' size", "make what is missing in a picture transparent")
    alpha: Literal["missing", "blend"] = "missing" if memory.opacity is None else "blend"
    seen = []
    for place, item in enumerate(_each(queries)):
        image = _named(partial(image_of, draft=(spec.width, spec.height)), item, place)
        seen.append(to_query(image, spec, alpha))
    if not seen:
        raise SettingsError("no queries", "give at least one")
    rows = np.stack([pattern for pattern, _ in seen])
    if all(known is None for _, known in seen):
        return rows, None
    return rows, np.stack([np.ones(spec.dim, np.bool_) if known is None else known for _, known in seen])


def _each(given: Any) -> Iterator[Any]:
    """The pictures: one, or each of several; of a folder those in it."""
    if isinstance(given, str | os.PathLike) and os.path.isdir(given):
        yield from (found.path for found in discover([os.fspath(given)]))
    elif is_picture(given):
        yield given
    elif isinstance(given, Iterable) and not isinstance(given, dict | set):
        for item in given:
            if isinstance(item, str | os.PathLike) and os.path.isdir(item):
                yield from _each(item)
            else:
                yield item
    else:
        image_of(given)  # which says what it should be


def _named(work: Callable[[Any], Result], given: Any, place: int) -> Result:
    """What `work` makes of a picture; its errors name the picture."""
    try:
        return work(given)
    except ImageError as error:
        shown = name_of(given) or f"image {place}"
        message = error.message if error.message.startswith(shown) else f"{shown}: {error.message}"
        raise ImageError(message, error.hint) from None


def _pixels(images: NDArray[Any]) -> UInt8:
    """Images of an array as uint8 (M, H, W, C)."""
    pixels = images[..., None] if images.ndim == 3 else images
    if pixels.ndim != 4 or 0 in pixels.shape or pixels.shape[3] not in (1, 3):
        raise SettingsError(
            f"images of shape {images.shape}", "give (M, H, W), (M, H, W, 1) or (M, H, W, 3), or a list of pictures"
        )
    try:
        return in_eight_bits(pixels)
    except ImageError as error:
        raise SettingsError(error.message, error.hint) from None
