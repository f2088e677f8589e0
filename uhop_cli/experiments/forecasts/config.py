"""What a run of the forecasting experiments is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.series import Series, Split
from uhop_cli.version import __version__

LOOK_BACKS = (96, 336)
HORIZONS = (96, 192, 336, 720)
STORED_WINDOWS = 9000  # of a memory, drawn from the training windows
EVENTS_STORED = (0, 1, 3, 10)
SEEDS = 5


@dataclass(frozen=True)
class ForecastConfig:
    """The settings of a run.

    Attributes:
        experiments: names, in the order in which they run.
        methods: names; empty: all of each experiment.
        horizons: of the forecasts.
        stored: sizes of the memory: of `forecast` the most windows that are stored (one number), of the others how many events;
            empty: 9,000 windows; 0, 1, 3 and 10 events.
        repeats: draws of events.
        seed: of everything random.

    Raises:
        SettingsError: a value that makes no sense.
    """

    experiments: tuple[str, ...]
    methods: tuple[str, ...] = ()
    horizons: tuple[int, ...] = HORIZONS
    stored: tuple[int, ...] = ()
    repeats: int = SEEDS
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.horizons or any(horizon < 1 for horizon in self.horizons):
            raise SettingsError("a horizon is at least one row", "--horizons 96,192")
        if self.repeats < 1:
            raise SettingsError("at least one repeat is needed")

    def to_json(self, series: Series) -> dict[str, Any]:
        """Everything that the rows depend on."""
        return {
            "dataset": series.name,
            "rows": len(series.values),
            "columns": list(series.columns),
            "season": series.season,
            "digest": series.digest,
            "split": asdict(Split.of(series)),
            "settings": {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()},
            "version": __version__,
        }
