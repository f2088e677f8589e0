"""Patterns -> kernel, statistics, codes, self-test -> the memory that is written."""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import IO, Any

import numpy as np

from uhop_cli.arrays.types import Int64, UInt8
from uhop_cli.evidence.statistics import compact_codes, encode
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.memory import Memory, Originals
from uhop_cli.progress import OnProgress
from uhop_cli.storing.learn import Learned, learn, loss_of, margins, separation_loss
from uhop_cli.storing.record import stage1_of
from uhop_cli.storing.self_test import SelfTest, self_test
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.version import __version__


def learn_memory(
    patterns: UInt8,
    spec: PatternSpec,
    entries: Entries,
    settings: StoreSettings,
    *,
    originals: Originals | None = None,
    transparent: bool = False,
    progress: OnProgress | None = None,
) -> tuple[Memory, Learned, SelfTest]:
    """Stage I and the self-test on distinct patterns (M, H, W, C): the memory that `store` writes.

    `transparent` says whether any stored image has transparent parts, which were laid on the background.
    """
    learned = learn(patterns, settings, progress)
    return _tested(patterns, spec, entries, originals, learned, settings, transparent, progress)


def finish(
    patterns: UInt8,
    spec: PatternSpec,
    entries: Entries,
    transparent: bool,
    originals: IO[bytes] | None,
    settings: StoreSettings,
    keep: Memory | None,
    progress: OnProgress | None,
) -> tuple[Memory, Learned, SelfTest]:
    """The memory of what was found; with `keep`, its kernel instead of a new one."""
    embedded = None if originals is None else _embedded(originals, entries.sizes)
    if keep is None:
        return learn_memory(patterns, spec, entries, settings, originals=embedded, transparent=transparent, progress=progress)
    learned = Learned(keep.kernel, stage1_of(keep))
    return _tested(patterns, spec, entries, embedded, learned, settings, transparent, progress)


def _tested(
    patterns: UInt8,
    spec: PatternSpec,
    entries: Entries,
    originals: Originals | None,
    learned: Learned,
    settings: StoreSettings,
    transparent: bool,
    progress: OnProgress | None,
) -> tuple[Memory, Learned, SelfTest]:
    resolved = settings.resolved()
    norms, statistics = encode(learned.kernel, spec, patterns, progress)
    codes, directions = compact_codes(spec, patterns, settings.seed, progress) or (None, None)
    draft = Memory(spec, patterns, learned.kernel, norms, entries, 1.0, {}, statistics, codes, directions)
    test = self_test(draft, resolved, progress)
    kernel = learned.kernel.with_chosen(test.chosen)
    loss = loss_of(resolved)
    detail = dict(learned.stage1)
    if detail.get("solver") == "closed-form":
        detail["loss_initial"] = separation_loss(None, patterns, loss, settings.seed)
        detail["loss_final"] = separation_loss(kernel, patterns, loss, settings.seed)
        detail["loss_bound"] = loss.bound(len(patterns), kernel.feature_dim) if len(patterns) > 1 else None
        detail["rho"] = kernel.rhos[kernel.chosen]
    separation = margins(kernel, norms, patterns, settings.seed)
    record: dict[str, Any] = {
        "settings": {key: value for key, value in settings.to_json().items() if key != "device"},
        "stage1": {key: value for key, value in detail.items() if key != "seconds"},
        "separation": separation,
        "self_test": [row.to_json() for row in test.rows],
        "calibration": test.calibration,
        "transparent": transparent,
        "retrieval": "paper" if settings.protocol == "paper" else "evidence",
        "seed": settings.seed,
        "versions": {"uhop": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }
    memory = replace(draft, kernel=kernel, beta=test.beta, record=record, originals=originals)
    return memory, replace(learned, kernel=kernel, stage1=detail), test


def _embedded(originals: IO[bytes], sizes: Int64) -> Originals:
    """The files' bytes, mapped from the temporary file."""
    originals.flush()
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    data = np.memmap(originals, np.uint8, "r") if offsets[-1] else np.zeros(0, np.uint8)
    return Originals(data, offsets)
