"""The methods of experiment `forecast` that are trained by gradients: STanHop-Net, U-Hop on it, and its external memories.

Arms of the same seed begin with the same parameters as far as their layers are the same, see the same batches in the same order and
are stopped on the same validation windows. Sizes and rates are one for all arms; they were chosen for `stanhop`, the control, on
validation windows of ETTh1 with a seed that no result has.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from uhop_cli.experiments.forecasts.case import LINEAR, Case
from uhop_cli.experiments.forecasts.config import ForecastConfig
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.forecasting.scores import Errors
from uhop_cli.forecasting.series import Series
from uhop_cli.forecasting.windows import Windows
from uhop_cli.progress import Progress

if TYPE_CHECKING:
    from uhop_cli.nn.stanhop import STanHopNet, TrainingSettings
    from uhop_cli.nn.training import Fitted

STANHOP = ("stanhop", "stanhop-kernel", "stanhop-alternation", "stanhop-published")
METHODS = {
    "stanhop": "STanHop-Net, corrected",
    "stanhop-kernel": "the same with a Phi in every association",
    "stanhop-alternation": "the same with Algorithm 2 on Phi: STanHop with U-Hop",
    "stanhop-published": "STanHop-Net as its published code has it",
    "tune-none": "`stanhop` trained further, without a memory",
    "plug-and-play": "ForecastMemory on `tune-none`, all settings chosen on validation",
    "tune-and-play": "`stanhop` trained further with a memory of the same windows whose similarity is learned",
    "tune-permuted": "the same with the stored futures interchanged at random",
}
PATCH = 24  # values of a token
EPOCHS, TUNING_EPOCHS = 6, 4
EPOCH_WINDOWS = 1024  # drawn anew from the training windows for each epoch
VALIDATION_WINDOWS = 500  # on which an epoch is judged
STORED = 1000  # windows of the external memories
FLOP = 1e13  # of a training, about
QUICK = {"epochs": 2, "windows": 128}


@dataclass(frozen=True)
class Outcome:
    """A method with a seed: its test errors, what was chosen on validation, and the seconds that it took."""

    errors: Errors
    chosen: dict[str, Any]
    seconds: float


@dataclass
class Study:
    """The nets of one look-back and horizon; each is trained once a seed, however often it is asked for."""

    series: Series
    config: ForecastConfig
    surroundings: Surroundings
    look_back: int
    horizon: int
    _models: dict[tuple[str, int], tuple[Any, Fitted]] = field(default_factory=dict)
    _outcomes: dict[tuple[str, int], Outcome] = field(default_factory=dict)

    @cached_property
    def case(self) -> Case:
        """The windows."""
        return Case.of(self.series, self.look_back, self.horizon)

    @cached_property
    def linear(self) -> Outcome:
        """The better of the linear forecasters on validation."""
        began = time.perf_counter()
        models = {name: self.case.fit(name) for name in LINEAR}
        better = self.case.better(models)
        errors = Errors.of(models[better](self.case.test.past), self.case.test.future)
        return Outcome(errors, {"base": better}, time.perf_counter() - began)

    def outcome(self, method: str, seed: int) -> Outcome:
        """What a method of `METHODS`, or `linear`, comes to with a seed."""
        if method == "linear":
            return self.linear
        if (method, seed) not in self._outcomes:
            began = time.perf_counter()
            found = self._plugged(seed) if method == "plug-and-play" else self._forecast(method, seed)
            self._outcomes[method, seed] = Outcome(*found, time.perf_counter() - began)
        return self._outcomes[method, seed]

    def _forecast(self, method: str, seed: int) -> tuple[Errors, dict[str, Any]]:
        from uhop_cli.nn.stanhop import predict

        model, fitted = self._model(method, seed)
        test = self.case.test
        chosen: dict[str, Any] = {"epoch": fitted.best + 1, "validation": fitted.validation}
        if method in ("tune-and-play", "tune-permuted"):
            chosen["windows"] = len(model.starts)
        return Errors.of(predict(model, test.past, test.starts), test.future), chosen

    def _plugged(self, seed: int) -> tuple[Errors, dict[str, Any]]:
        from uhop_cli.nn.stanhop import predict

        model = partial(predict, self._model("tune-none", seed)[0])
        memory, trial = self.case.memory(model, self.config, self._stored(seed))
        test = self.case.test
        corrected = memory.correct(test.past, model(test.past), test.starts)
        chosen = {"read_out": trial.read_out, "beta": trial.beta, "weight": trial.weight, "windows": len(memory)}
        return Errors.of(corrected, test.future), chosen

    def _model(self, method: str, seed: int) -> tuple[Any, Fitted]:
        """The trained model of a method."""
        if (method, seed) not in self._models:
            self._models[method, seed] = self._net(method, seed) if method in STANHOP else self._tuned(method, seed)
        return self._models[method, seed]

    def _net(self, method: str, seed: int) -> tuple[STanHopNet, Fitted]:
        from uhop_cli.nn.stanhop import QUIRKS, NetSettings, STanHopNet
        from uhop_cli.nn.training import seeded

        published = method == "stanhop-published"
        settings = NetSettings(
            look_back=self.look_back,
            horizon=self.horizon,
            series=len(self.series.columns),
            patch=PATCH,
            standardise=not published,
            kernel=method in ("stanhop-kernel", "stanhop-alternation"),
            published=tuple(QUIRKS) if published else (),
        )
        training = self._training(EPOCHS, alternate=method == "stanhop-alternation", batch_means=published)
        net = self._placed(seeded(seed, lambda: STanHopNet(settings)))
        return net, self._fitted(method, seed, net, training, asdict(settings))

    def _tuned(self, method: str, seed: int) -> tuple[Any, Fitted]:
        from uhop_cli.nn.stanhop import TuneAndPlay
        from uhop_cli.nn.training import seeded

        net, _ = self._model("stanhop", seed)
        model, stored = deepcopy(net), self._stored(seed)
        if method != "tune-none":
            model = self._placed(seeded(seed, lambda: TuneAndPlay(model, stored)))
        if method == "tune-permuted":
            model.permute(seed)
        about = {"net": asdict(net.settings), "trained": asdict(self._training(EPOCHS)), "windows": len(stored)}
        return model, self._fitted(method, seed, model, self._training(TUNING_EPOCHS), about)

    def _training(self, epochs: int, **more: Any) -> TrainingSettings:
        from uhop_cli.nn.stanhop import TrainingSettings

        return TrainingSettings(**({"epochs": epochs, "windows": EPOCH_WINDOWS} | (QUICK if self.config.quick else {}) | more))

    def _fitted(self, method: str, seed: int, model: Any, training: TrainingSettings, about: dict[str, Any]) -> Fitted:
        from uhop_cli.nn.stanhop import fit

        progress, stage = self.surroundings.progress, f"{method}, {self.look_back} -> {self.horizon}, seed {seed}"

        def on_epoch(done: int, words: str) -> None:
            if progress:
                progress(Progress(stage, done, training.epochs, words))

        held_out = self.case.validation.sample(VALIDATION_WINDOWS, seed)
        about = about | {"method": method, "data": self.series.digest}
        file = self.surroundings.net_file(f"{method}-{self.look_back}-{self.horizon}-{seed}")
        return fit(model, self.case.train, held_out, training, seed=seed, checkpoint=file, about=about, on_epoch=on_epoch)

    def _stored(self, seed: int) -> Windows:
        stored = self.config.stored[0] if self.config.stored else STORED
        return self.case.train.sample(min(stored, QUICK["windows"]) if self.config.quick else stored, seed)

    def _placed(self, model: Any) -> Any:
        return model.to(self.surroundings.torch_device(FLOP))
