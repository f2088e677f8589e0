"""The Python interface on arrays: learn, retrieve. Files and folders go through `store`, `Restorer`, `save` and `load`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.device import resolve_device
from uhop_cli.arrays.types import Bool, UInt8
from uhop_cli.errors import SettingsError
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.memory import Memory
from uhop_cli.progress import OnProgress
from uhop_cli.querying.answer import Answer, joined
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.storing.assemble import Draft, learn_memory
from uhop_cli.storing.settings import StoreSettings


def learn(
    images: NDArray[Any],
    settings: StoreSettings | None = None,
    *,
    names: Sequence[str] | None = None,
    self_test: bool = True,
    progress: OnProgress | None = None,
) -> Memory:
    """Learn a kernel on images and return the memory of them.

    Args:
        images: shape (M, H, W) or (M, H, W, C) with C = 1 or 3; uint8, or floats in [0, 1], which are rounded to 8 bits.
        settings: of Stage I.
        names: of the images; their numbers by default.
        self_test: damage a sample of the images and retrieve it, which gives answers their confidence and the plain kernel its rho
            and beta. What the choice by evidence answers is the same without.
        progress: told how far the work is.

    Raises:
        SettingsError: the array is of another form, or there is no image in it.
    """
    pixels = _pixels(images)
    labels = [str(index) for index in range(len(pixels))] if names is None else list(names)
    if len(labels) != len(pixels):
        raise SettingsError(f"{len(labels)} names for {len(pixels)} images")
    rows_of: dict[bytes, int] = {}
    digests = [hashlib.sha256(image.tobytes()).digest() for image in pixels]
    rows = [rows_of.setdefault(digest, len(rows_of)) for digest in digests]
    first = np.unique(rows, return_index=True)[1]
    entries = Entries.build([label.encode() for label in labels], rows, digests, [image.nbytes for image in pixels])
    height, width, channels = pixels.shape[1:]
    draft = Draft(PatternSpec(width, height, channels), pixels[first], entries)
    return learn_memory(draft, settings or StoreSettings(), test=self_test, progress=progress).memory


def retrieve(
    memory: Memory,
    queries: NDArray[Any],
    *,
    visible: Bool | None = None,
    settings: RetrievalSettings | None = None,
    trace: bool = False,
    device: str = "auto",
) -> Answer:
    """Retrieve from a memory.

    Args:
        memory: what `learn` or `load` gave.
        queries: (Q, H, W[, C]) or (Q, d); uint8, or floats on the scale [0, 1] (values outside it are welcome: noise has them).
        visible: the known values, bool, in the shape of `queries`; None: nothing is known to be missing.
        settings: steps, beta, separation, similarity.
        trace: keep the picture of each step.
        device: 'auto', 'cpu', 'cuda', ...

    Returns:
        weights (Q, M), pictures (T, Q, d), energies, steps and confidence; `answer.ranking(i, 3)` are the best
        matches of query i. Of a large memory `answer.rows` says which memories the weights are of.
    """
    if not len(queries):
        raise SettingsError("no queries", "give at least one")
    rows = queries.reshape(len(queries), -1)
    if rows.shape[1] != memory.spec.dim:
        raise SettingsError(f"queries of {rows.shape[1]} values, memories of {memory.spec.dim}")
    rows = np.asarray(rows / np.float32(255) if rows.dtype == np.uint8 else rows, np.float32)
    mask = None if visible is None else visible.reshape(len(queries), -1)
    flop = 2.0 * len(rows) * len(memory) * memory.spec.dim * 10
    retriever = Retriever(memory, settings, resolve_device(device, flop), features_expected=len(rows))
    answers = [answer for _, answer in retriever.batches(rows, mask, trace=trace)]
    return answers[0] if len(answers) == 1 else joined(answers)


def _pixels(images: NDArray[Any]) -> UInt8:
    """Images as uint8 (M, H, W, C)."""
    pixels = np.asarray(images)
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    if pixels.ndim != 4 or 0 in pixels.shape or pixels.shape[3] not in (1, 3):
        raise SettingsError(f"images of shape {np.shape(images)}", "give (M, H, W), (M, H, W, 1) or (M, H, W, 3)")
    if pixels.dtype == np.uint8:
        return pixels
    if not np.issubdtype(pixels.dtype, np.floating) or not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
        raise SettingsError("images must be uint8, or floats in [0, 1]")
    rounded: UInt8 = np.rint(pixels * 255).astype(np.uint8)
    return rounded
