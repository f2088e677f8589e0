"""Stage I on stored patterns: the solver that fits, the kernel family, and what it did to the separation of the memories."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from uhop_cli.arrays.device import resolve_device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.arrays.operations import quotient, unit_rows, unit_vectors
from uhop_cli.arrays.types import Float32, Float64, Int64, UInt8
from uhop_cli.errors import SettingsError
from uhop_cli.kernel.closed_form import RHO_GRID, decompose, whitening
from uhop_cli.kernel.feature_map import KernelFamily, compress, initial_weight, normalise_rows
from uhop_cli.kernel.gradient import GradientSettings, descend
from uhop_cli.kernel.losses import LOSSES, SeparationLoss, TemperatureLoss
from uhop_cli.progress import OnProgress
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.storing.feature_dim import smallest_dim
from uhop_cli.storing.needs import AUTO_FEATURE_DIM, check_memory
from uhop_cli.storing.settings import StoreSettings

LOSS_SAMPLE = 1024  # memories whose mutual cosines give the reported loss; all of them up to this number
MARGIN_SAMPLE = 256  # memories whose margin against all others is measured; all of them up to LOSS_SAMPLE


@dataclass(frozen=True)
class Learned:
    """What Stage I gives.

    Attributes:
        kernel: the family, with a provisional choice of rho (the self-test makes the final one).
        stage1: solver, iterations, losses, bound, seconds and dimensions, as JSON values.
    """

    kernel: KernelFamily
    stage1: dict[str, Any]


def loss_of(settings: StoreSettings) -> SeparationLoss:
    """The separation loss that the settings name."""
    if settings.loss not in LOSSES:
        raise SettingsError(f"unknown loss '{settings.loss}'", "one of " + ", ".join(LOSSES))
    kind = LOSSES[settings.loss]
    return TemperatureLoss(start=1.0, tau=0.01) if kind is TemperatureLoss else kind(t=settings.t)  # type: ignore[call-arg]


def learn(
    patterns: UInt8,
    settings: StoreSettings,
    progress: OnProgress | None = None,
    moment: Callable[[], Float64] | None = None,
) -> Learned:
    """Learn a kernel family on stored patterns (M, H, W, C).

    Args:
        patterns: see above.
        settings: of Stage I.
        progress: told how far it is.
        moment: makes the second moment of the patterns; by default it is made here.

    Raises:
        ResourceError: it would take more memory than there is.
    """
    settings = settings.resolved()
    count, dim = len(patterns), int(np.prod(patterns.shape[1:]))
    check_memory(count, dim, settings)
    started = time.perf_counter()
    gradient = settings.solver == "gradient" and count > 1
    kernel, detail = _gradient(patterns, settings, progress) if gradient else _closed_form(patterns, settings, progress, moment)
    detail["seconds"] = time.perf_counter() - started
    detail["feature_dim"] = kernel.feature_dim
    return Learned(kernel, detail)


def separation_loss(kernel: KernelFamily | None, patterns: UInt8, loss: SeparationLoss, seed: int) -> float | None:
    """The loss of the memories' features (of the bare patterns for None), over a sample where there are many; None for M = 1."""
    if len(patterns) < 2:
        return None
    unit = _unit_features(kernel, unit_rows(patterns[_sample(len(patterns), LOSS_SAMPLE, seed)]))
    return float(loss.measure((unit @ unit.T).astype(np.float64))[0])


def margins(kernel: KernelFamily, norms: Float32, patterns: UInt8, seed: int) -> Float32:
    """1 - max cos of every memory with all others (of large M: a sample of them), unit features of the chosen kernel: (M,).

    Args:
        norms: (M, R) of the features.
        patterns: (M, H, W, C).

    Returns:
        infinity for a single memory.
    """
    count = len(patterns)
    if count < 2:
        return np.full(count, np.inf, np.float32)
    sample = _sample(count, _rivals(count), seed)
    unit = _unit_features(kernel, unit_rows(patterns[sample]))
    lengths = norms[:, kernel.chosen]
    X = pattern_matrix(patterns)
    columns = (unit @ kernel.weight).T * np.float32(X.scale)  # (d, sample)
    closest = np.empty(count, np.float32)  # the largest cosine of each memory with another one in the sample

    def work(rows: slice, pixels: Float32) -> None:
        cosines = quotient(pixels @ columns, lengths[rows, None])
        inside = np.flatnonzero((sample >= rows.start) & (sample < rows.stop))
        cosines[sample[inside] - rows.start, inside] = -1
        closest[rows] = cosines.max(axis=1)

    X.each_chunk(work)
    return 1 - closest


def separation(margins: Float32) -> dict[str, Any]:
    """R_Phi, the smallest of `margins` (M,), and among how many memories they were looked for, as JSON values."""
    count = len(margins)
    if count < 2:
        return {"r_phi": None, "margin_min": None, "sample": count}
    margin = float(max(0.0, margins.min()))
    # ||f - g||^2 = 2 (1 - cos) for unit features, and R_Phi is half the smallest distance.
    return {"r_phi": float(np.sqrt(2 * margin) / 2), "margin_min": margin, "sample": min(count, _rivals(count))}


def _rivals(count: int) -> int:
    return LOSS_SAMPLE if count <= LOSS_SAMPLE else MARGIN_SAMPLE


def _closed_form(
    patterns: UInt8, settings: StoreSettings, progress: OnProgress | None, moment: Callable[[], Float64] | None
) -> tuple[KernelFamily, dict[str, Any]]:
    limit = AUTO_FEATURE_DIM if settings.feature_dim == "auto" else int(settings.feature_dim)
    spectrum = decompose(
        patterns,
        feature_dim=limit,
        seed=settings.seed,
        progress=progress,
        moment=moment,
    )
    if settings.feature_dim == "auto":
        spectrum = spectrum.truncated(smallest_dim(spectrum, patterns, settings.seed))
    rhos = RHO_GRID if settings.regularization == "auto" else (float(settings.regularization),)
    kernel = whitening(spectrum, rhos, len(rhos) // 2)
    return kernel, {"solver": "closed-form", "iterations": 0, "learning_rate": None}


def _gradient(patterns: UInt8, settings: StoreSettings, progress: OnProgress | None) -> tuple[KernelFamily, dict[str, Any]]:
    rows = unit_rows(patterns)
    dim = rows.shape[1]
    feature_dim = dim if settings.feature_dim == "auto" else int(settings.feature_dim)
    weight = initial_weight(settings.init, feature_dim, dim, np.random.default_rng(settings.seed)).astype(np.float32)
    device = resolve_device(settings.device, flop=2.0 * (settings.iterations or 1000) * 3 * min(len(rows), dim) ** 3)
    run = descend(
        device.put(rows),
        device.put(weight),
        GradientSettings(
            loss=loss_of(settings),
            iterations=1000 if settings.iterations is None else settings.iterations,
            learning_rate="auto" if settings.learning_rate == "auto" else float(settings.learning_rate),
            batch_size=settings.batch_size,
            tolerance=0.0 if settings.protocol else 0.02,
        ),
        seed=settings.seed,
        progress=progress,
    )
    learned = to_numpy(run.weight)
    if settings.protocol:
        learned = normalise_rows(learned)  # Algorithm 1, line 4
    kernel = KernelFamily.explicit(compress(learned, rows))
    return kernel, {
        "solver": "gradient",
        "iterations": int(run.steps),
        "learning_rate": float(run.learning_rate),
        "loss_initial": float(run.loss_initial),
        "loss_final": float(run.loss_final),
        "loss_bound": run.bound,
    }


def _unit_features(kernel: KernelFamily | None, rows: Float32) -> Float32:
    features = rows if kernel is None else kernel.features(rows)
    return np.asarray(unit_vectors(features), np.float32)


def _sample(count: int, size: int, seed: int) -> Int64:
    """Sorted rows: all of them, or `size` drawn without replacement."""
    if count <= size:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, size, replace=False))
