"""What a run of the forecasting experiments is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.results.family import ALL
from uhop_cli.forecasting.series import Series, Split
from uhop_cli.version import __version__

FORECAST = "forecast"  # the experiment
LOOK_BACKS = (96, 336)
HORIZONS = (96, 192, 336, 720)
STORED_WINDOWS = 9000  # of a memory, drawn from the training windows
QUICK_WINDOWS = 1000
EVENTS_STORED = (0, 1, 3, 10)
DRAWS = 5  # of events
SEEDS = 3  # of nets


@dataclass(frozen=True)
class ForecastConfig:
    """The settings of a run.

    Attributes:
        experiments: names, in the order in which they run.
        methods: names, or `ALL`; empty: all of each experiment that need no training by gradients.
        look_backs, horizons: of the forecasts.
        stored: sizes of the memory: of `forecast` the most windows that are stored (one number), of the others how many events;
            empty: 9,000 windows; 0, 1, 3 and 10 events.
        repeats: draws of events, or seeds of nets; None: 5 draws, 3 seeds.
        seed: of everything random, the first of several.
        quick: one draw or seed, fewer stored windows, and nets that are trained shortly on few windows: a trial, no result.

    Raises:
        SettingsError: a value that makes no sense.
    """

    experiments: tuple[str, ...]
    methods: tuple[str, ...] = ()
    look_backs: tuple[int, ...] = LOOK_BACKS
    horizons: tuple[int, ...] = HORIZONS
    stored: tuple[int, ...] = ()
    repeats: int | None = None
    seed: int = 0
    quick: bool = False

    def __post_init__(self) -> None:
        if not self.horizons or any(horizon < 1 for horizon in self.horizons):
            raise SettingsError("a horizon is at least one row", "--horizons 96,192")
        if not self.look_backs or any(look_back < 2 for look_back in self.look_backs):
            raise SettingsError("a look-back is at least two rows", "--look-backs 96,336")
        if self.repeats is not None and self.repeats < 1:
            raise SettingsError("at least one repeat is needed")

    @property
    def stored_windows(self) -> int:
        """How many windows a `ForecastMemory` holds at most."""
        return self.stored[0] if self.stored else QUICK_WINDOWS if self.quick else STORED_WINDOWS

    @property
    def draws(self) -> range:
        """Seeds of the draws of events."""
        return self._seeds(DRAWS)

    @property
    def seeds(self) -> range:
        """Seeds of the nets."""
        return self._seeds(SEEDS)

    def _seeds(self, count: int) -> range:
        return range(self.seed, self.seed + (self.repeats or (1 if self.quick else count)))

    def wants(self, method: str, *, trained: bool = False) -> bool:
        """Whether a method of an experiment is to run; one that is trained by gradients only where it is asked for."""
        return method in self.methods or ALL in self.methods or (not self.methods and not trained)

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
