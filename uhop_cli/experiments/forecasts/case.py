"""One look-back and horizon of a series: windows of the three parts, and the linear forecasters on them."""

from __future__ import annotations

from dataclasses import dataclass

from uhop_cli.arrays.types import Float64
from uhop_cli.experiments.forecasts.config import ForecastConfig
from uhop_cli.forecasting.choice import Trial, choose
from uhop_cli.forecasting.linear import Linear, fit_linear
from uhop_cli.forecasting.memory import ForecastMemory, MemorySettings
from uhop_cli.forecasting.naive import Forecaster
from uhop_cli.forecasting.scores import Errors
from uhop_cli.forecasting.series import Series, Split
from uhop_cli.forecasting.windows import Windows, cut

VALIDATION_WINDOWS = 3000  # that the settings of a memory are chosen on, drawn from all
LINEAR = {"linear-raw": False, "linear-centred": True}


@dataclass(frozen=True)
class Case:
    """One look-back and horizon, in units of the training rows: training `rows` (T, C), windows of the three parts."""

    rows: Float64
    train: Windows
    validation: Windows
    test: Windows

    @classmethod
    def of(cls, series: Series, look_back: int, horizon: int) -> Case:
        """Of a series, scaled by its training rows.

        Raises:
            SettingsError: a part is too short.
        """
        split = Split.of(series)
        values = series.scaled(split).values
        parts = (cut(values, look_back, horizon, split.rows(part, look_back)) for part in ("train", "validation", "test"))
        return cls(values[: split.train], *parts)

    def fit(self, name: str) -> Linear:
        """The linear forecaster of that name."""
        return fit_linear(self.rows, self.train.look_back, self.train.horizon, centred=LINEAR[name])

    def better(self, models: dict[str, Linear]) -> str:
        """The name of the linear forecaster with the smaller error on the validation windows."""
        return min(models, key=lambda name: Errors.of(models[name](self.validation.past), self.validation.future).mse)

    def memory(self, model: Forecaster, config: ForecastConfig, stored: Windows | None = None) -> tuple[ForecastMemory, Trial]:
        """A memory of training windows in front of which `model` stands, with settings chosen on validation windows.

        Args:
            model: the forecaster.
            config: says how many windows are drawn, unless they are given.
            stored: these windows.
        """
        stored = self.train.sample(config.stored_windows, config.seed) if stored is None else stored
        memory = ForecastMemory(MemorySettings(self.train.look_back, self.train.horizon)).store(stored, model)
        return choose(memory, model, self.validation.sample(VALIDATION_WINDOWS, config.seed))
