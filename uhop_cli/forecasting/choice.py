"""Settings of a memory, chosen on validation windows and on nothing else.

The corrected forecast is linear in g: with e the model's error and r what the memory adds at g = 1, the mean squared error is

    MSE(g) = <e, e> - 2 g <e, r> + g^2 <r, r>

so one pass gives it for every g of the grid, for each read-out and each beta. g = 0, the model alone, is in the grid: a memory that
does not help on validation is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.leakage import Rule
from uhop_cli.forecasting.memory import ForecastMemory, ReadOut
from uhop_cli.forecasting.naive import Forecaster
from uhop_cli.forecasting.windows import Windows

BETAS = (0.0, 10.0, 30.0)
WEIGHTS = tuple(round(0.1 * step, 1) for step in range(11))


@dataclass(frozen=True)
class Trial:
    """One setting and its mean squared error on the validation windows."""

    read_out: ReadOut
    beta: float
    weight: float
    mse: float


def trials(
    memory: ForecastMemory,
    model: Forecaster,
    validation: Windows,
    *,
    betas: Sequence[float] = BETAS,
    weights: Sequence[float] = WEIGHTS,
    rule: Rule = "past",
) -> list[Trial]:
    """The error of every setting on the validation windows; of equal settings at g = 0 only one.

    Args:
        memory: stored from training windows; with residuals both read-outs are tried, without them only 'future'.
        model: the forecaster in front.
        validation: windows that were not used to fit the model; with the rule 'apart' also stored ones.
        betas, weights: the grids.
        rule: which stored windows a query may see.

    Raises:
        SettingsError: shapes that do not fit, an empty grid or memory.
    """
    if not betas or not weights or not len(validation):
        raise SettingsError("a choice needs windows, and at least one beta and one weight")
    read_outs: list[ReadOut] = ["future"] if memory.residual is None else ["future", "residual"]
    prediction = model(validation.past)
    error = validation.future - prediction
    # What reading out futures adds at g = 1: mean x + sum p (y - mean xi) - y_model.
    level = validation.past.mean(axis=1, keepdims=True) - prediction
    sums = {(read_out, beta): np.zeros(2) for read_out in read_outs for beta in betas}
    for block in memory.blocks(validation.past, validation.starts, rule):
        if not block.scores.shape[1]:
            continue
        wrong = error[block.rows, :, block.channel]
        known = np.any(np.isfinite(block.scores), axis=1, keepdims=True)
        for beta in betas:
            found = memory.settings.weigh(block.scores, beta)
            for read_out in read_outs:
                added = found @ memory.stored(read_out)[block.channel][block.stored]
                if read_out == "future":
                    added = added + level[block.rows, :, block.channel]
                added = np.where(known, added, 0)
                sums[read_out, beta] += np.sum(wrong * added), np.sum(added * added)
    base = float(np.mean(error * error))
    found_trials = [Trial(memory.settings.read_out, memory.settings.beta, 0.0, base)] if 0 in weights else []
    for (read_out, beta), (cross, square) in sums.items():
        for weight in weights:
            if weight > 0:
                mse = base - (2 * weight * cross - weight * weight * square) / error.size
                found_trials.append(Trial(read_out, beta, weight, float(mse)))
    return found_trials


def choose(memory: ForecastMemory, model: Forecaster, validation: Windows, rule: Rule = "past") -> tuple[ForecastMemory, Trial]:
    """The memory with the settings of the least validation error, and that trial; of equal ones the first, g = 0 before all."""
    best = min(trials(memory, model, validation, rule=rule), key=lambda trial: trial.mse)
    return memory.with_settings(read_out=best.read_out, beta=best.beta, weight=best.weight), best
