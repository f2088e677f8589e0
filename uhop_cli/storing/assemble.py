"""Patterns -> kernel, statistics, codes, self-test -> the memory that is written."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, replace
from typing import IO, Any

import numpy as np

from uhop_cli.arrays.types import Int64, UInt8
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.local import LocalDescriptors
from uhop_cli.memory.memory import Memory, Originals
from uhop_cli.progress import OnProgress
from uhop_cli.retrieval.inverse_temperature import auto_beta
from uhop_cli.storing.learn import Learned, learn, loss_of, margins, separation, separation_loss
from uhop_cli.storing.passes.passes import Passes, Whole
from uhop_cli.storing.record import SelfTested, settings_json, stage1_of
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.testing.self_test import SelfTest, self_test
from uhop_cli.version import __version__


@dataclass(frozen=True, eq=False)
class Draft:
    """What is to become a memory.

    Attributes:
        spec: of the patterns.
        patterns: (M, H, W, C) uint8, all different.
        entries: the files.
        transparent: whether any of their pictures has transparent parts, which were laid on the background.
        originals: copies of the files, or None.
        shapes: (M, 2) width and height of each pattern's picture; None: the pattern's own.
        local: descriptors of the pictures, or None.
        opacity: (M, H, W) uint8 of the patterns; None: all are opaque.
    """

    spec: PatternSpec
    patterns: UInt8
    entries: Entries
    transparent: bool = False
    originals: Originals | None = None
    shapes: Int64 | None = None
    local: LocalDescriptors | None = None
    opacity: UInt8 | None = None


@dataclass(frozen=True, eq=False)
class Stored:
    """A memory, what Stage I did for it, and its self-test, None where none was asked for."""

    memory: Memory
    learned: Learned
    test: SelfTest | None


def learn_memory(
    draft: Draft,
    settings: StoreSettings,
    *,
    keep: Memory | None = None,
    before: tuple[Memory, SelfTested] | None = None,
    test: bool = True,
    passes: Passes | None = None,
    progress: OnProgress | None = None,
) -> Stored:
    """Stage I and the self-test: the memory that `store` writes.

    Args:
        draft: what it is to hold.
        settings: of Stage I.
        keep: a memory whose kernel is taken over instead of learning a new one.
        before: a memory that differs little, made with the same settings, whose self-test is kept: rho, beta, calibration, rows.
        test: False leaves the self-test out: no calibration of the confidence; rho is the middle one of the grid, and beta comes
            from the margins between the memories as they are. Answers by evidence depend on neither of the two.
        passes: go through the patterns; by default as a whole.
        progress: told how far the work is.

    Raises:
        ResourceError: learning would take more memory than there is.
    """
    resolved, patterns = settings.resolved(), draft.patterns
    passes = passes or Whole(draft.spec, patterns, draft.opacity, progress)
    kept_kernel = None if keep is None else Learned(keep.kernel, stage1_of(keep.record))
    learned = kept_kernel or learn(patterns, settings, progress, passes.second_moment)
    norms, statistics = passes.encode(learned.kernel)
    codes, directions = passes.codes(settings.seed) or (None, None)
    memory = Memory(
        spec=draft.spec,
        patterns=patterns,
        kernel=learned.kernel,
        norms=norms,
        entries=draft.entries,
        beta=1.0,
        record={},
        statistics=statistics,
        compact=codes,
        compact_map=directions,
        opacity=draft.opacity,
    )
    kept, tested = before or (None, SelfTested(len(patterns)) if test else None)
    if kept is not None and kept.kernel.rhos != learned.kernel.rhos:
        kept, tested = None, SelfTested(len(patterns))
    found = self_test(memory, resolved, progress, passes.bounds) if test and kept is None else None
    chosen = kept.kernel.chosen if kept is not None else None if found is None else found.chosen
    kernel = learned.kernel if chosen is None else learned.kernel.with_chosen(chosen)
    loss = loss_of(resolved)
    detail = dict(learned.stage1)
    if detail.get("solver") == "closed-form":
        detail["loss_initial"] = separation_loss(None, patterns, loss, settings.seed)
        detail["loss_final"] = separation_loss(kernel, patterns, loss, settings.seed)
        detail["loss_bound"] = loss.bound(len(patterns), kernel.feature_dim) if len(patterns) > 1 else None
        detail["rho"] = kernel.rhos[kernel.chosen]
    leads = margins(kernel, norms, patterns, settings.seed)
    if kept is not None:
        beta = kept.beta
    elif found is not None:
        beta = found.beta
    else:
        beta = 1.0 if settings.protocol == "paper" else auto_beta(leads, len(patterns))
    record: dict[str, Any] = {
        "settings": settings_json(settings),
        "stage1": {key: value for key, value in detail.items() if key != "seconds"},
        "separation": separation(leads),
        **(_tested(found) if kept is None else {name: kept.record[name] for name in ("self_test", "calibration")}),
        "tested": None if tested is None else asdict(tested),
        "transparent": draft.transparent,
        "retrieval": "paper" if settings.protocol == "paper" else "evidence",
        "seed": settings.seed,
        "versions": {"uhop": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }
    memory = replace(
        memory, kernel=kernel, beta=beta, record=record, originals=draft.originals, shapes=draft.shapes, local=draft.local
    )
    return Stored(memory, replace(learned, kernel=kernel, stage1=detail), found)


def _tested(found: SelfTest | None) -> dict[str, Any]:
    """What a record keeps of a self-test."""
    if found is None:
        return {"self_test": [], "calibration": {}}
    return {"self_test": [row.to_json() for row in found.rows], "calibration": found.calibration}


def embedded(originals: IO[bytes], sizes: Int64) -> Originals:
    """The bytes of files (N,) of these sizes, which stand one after the other in a temporary file, mapped from it."""
    originals.flush()
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    data = np.memmap(originals, np.uint8, "r") if offsets[-1] else np.zeros(0, np.uint8)
    return Originals(data, offsets)
