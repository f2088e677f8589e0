"""What `uhop store` can be told. An option that would do nothing is refused, with the option that would make it count."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from uhop_cli.errors import SettingsError

Initialisation = Literal["gaussian", "orthogonal", "identity"]

Solver = Literal["auto", "closed-form", "gradient"]

_KINDS: dict[str, Any] = {
    "size": str | int,
    "color": str,
    "background": str,
    "embed": bool,
    "strict": bool,
    "damaged": bool,
    "pages": str,
    "solver": str,
    "loss": str,
    "init": str,
    "protocol": str | None,
    "self_test": str,
    "local": str,
    "iterations": int | None,
    "learning_rate": str | int | float,
    "t": int | float,
    "feature_dim": str | int,
    "regularization": str | int | float,
    "batch_size": int | None,
    "seed": int,
    "device": str,
}
_WORDS = {
    "color": ("auto", "rgb", "gray"),
    "learning_rate": ("auto",),
    "loss": ("average", "max", "temperature"),
    "feature_dim": ("auto",),
    "init": ("gaussian", "orthogonal", "identity"),
    "regularization": ("auto",),
    "pages": ("first", "all"),
    "self_test": ("auto", "full", "off"),
    "local": ("auto", "on", "off"),
}
MAX_ITERATIONS = 10_000_000
# What belongs to one solver only: under `auto` it chooses the solver, and with the other one it would do nothing.
GRADIENT_ONLY = ("iterations", "learning_rate", "loss", "t", "init", "batch_size")
CLOSED_FORM_ONLY = ("regularization",)


@dataclass(frozen=True)
class StoreSettings:
    """Settings of `uhop store`, under the names of its options.

    `auto` and None mean: chosen from the data, and written into the memory file.

    Attributes:
        size: 'auto', N, or 'WxH': the pattern's size in pixels.
        color: 'auto', 'rgb' or 'gray'.
        background: what transparency is laid on.
        embed: keep the original files' bytes inside the memory file.
        strict: an unreadable file is an error.
        damaged: store files that are cut short as far as they go.
        pages: of a file with several pages or frames the 'first', or 'all' of them, each as an image of its own.
        solver: of Stage I. 'auto' is the closed form, unless an option of the gradient solver is set.
        iterations: N of Algorithm 1 (gradient solver).
        learning_rate: 'auto' (backtracking, the loss falls at every step) or a fixed rate.
        loss: separation loss of the gradient solver.
        t: temperature of the separation loss; the temperature loss has its own, which falls.
        feature_dim: D; 'auto' is the smallest that keeps the accuracy.
        init: initial W of the gradient solver.
        regularization: rho, relative to ten times the mean eigenvalue; 'auto' lets the self-test choose.
        batch_size: memories in a mini-batch of the gradient solver; None is full batch where it fits.
        protocol: 'paper' sets the values of the U-Hop paper.
        self_test: 'auto', 'full': all near-duplicates are looked at, or 'off': none, and answers have no confidence.
        local: 'on': describe the originals locally, so that crops of them are found; 'auto': up to 20,000 of them; 'off'.
        seed: of everything random.
        device: where Stage I runs.
    """

    size: str | int = "auto"
    color: Literal["auto", "rgb", "gray"] = "auto"
    background: str = "grey"
    embed: bool = False
    strict: bool = False
    damaged: bool = False
    pages: Literal["first", "all"] = "first"
    solver: Solver = "auto"
    iterations: int | None = None
    learning_rate: str | float = "auto"
    loss: str = "average"
    t: float = 2.0
    feature_dim: str | int = "auto"
    init: Initialisation = "gaussian"
    regularization: str | float = "auto"
    batch_size: int | None = None
    protocol: Literal["paper"] | None = None
    self_test: Literal["auto", "full", "off"] = "auto"
    local: Literal["auto", "on", "off"] = "auto"
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        self._check_types()
        if self.solver not in ("auto", "closed-form", "gradient"):
            raise SettingsError(f"unknown solver {_shown(self.solver)}", "use auto, closed-form or gradient")
        if self.iterations is not None and not 0 <= self.iterations <= MAX_ITERATIONS:
            raise SettingsError(f"the number of iterations must not be negative, nor above {MAX_ITERATIONS}")
        if self.seed < 0:
            raise SettingsError("the seed must not be negative")
        if isinstance(self.learning_rate, int | float) and not self.learning_rate > 0:
            raise SettingsError("the learning rate must be positive", "give 'auto' or a positive number")
        if not self.t > 0:
            raise SettingsError("t must be positive")
        if isinstance(self.feature_dim, int) and self.feature_dim < 1:
            raise SettingsError("the feature dimension must be at least 1")
        if isinstance(self.regularization, int | float) and self.regularization < 0:
            raise SettingsError("the regularization must not be negative")
        if self.batch_size is not None and self.batch_size < 2:
            raise SettingsError("a mini-batch needs at least 2 memories")
        if self.protocol not in (None, "paper"):
            raise SettingsError(f"unknown protocol {_shown(self.protocol)}", "use --protocol paper, or leave it out")
        _check_effect(self._set, self.resolved_solver, self.loss, self.protocol)

    def _check_types(self) -> None:
        """Settings may come from a memory file, where they are somebody's claim."""
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
                raise SettingsError(f"the setting {name} cannot be {_shown(value)}")
            if isinstance(value, int | float) and not abs(value) < 1e30:
                raise SettingsError(f"the setting {name} is out of range")
        for name, words in _WORDS.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) and value not in words:
                raise SettingsError(f"the setting {name} cannot be {_shown(value)}", "use " + ", ".join(words))

    def changed(self, given: dict[str, Any]) -> StoreSettings:
        """These settings with the options `given` in the place of theirs; what belongs to a solver that these turn away from goes.

        An option that is given counts as set, also where its value is the default.

        Raises:
            SettingsError: an option makes no sense, or would do nothing.
        """
        asked = [name for name in GRADIENT_ONLY if name in given]
        solver = given.get("solver", "auto")
        solver = "gradient" if solver == "auto" and asked else solver
        protocol = given.get("protocol", self.protocol)
        _check_effect(given, solver, given.get("loss", self.loss), protocol)
        gone = {"closed-form": GRADIENT_ONLY, "gradient": CLOSED_FORM_ONLY}.get(solver, ())
        values: dict[str, Any] = {name: DEFAULTS[name] for name in gone} | given
        return replace(self, **(values | {"solver": solver} if gone and not protocol else values))

    @property
    def resolved_solver(self) -> Literal["closed-form", "gradient"]:
        """The solver that runs."""
        if self.solver != "auto":
            return self.solver
        return "gradient" if self.protocol or any(name in self._set for name in GRADIENT_ONLY) else "closed-form"

    @property
    def _set(self) -> list[str]:
        return [name for name, default in DEFAULTS.items() if getattr(self, name) != default]

    def resolved(self) -> StoreSettings:
        """These settings with the solver chosen, and the protocol's values: average loss, rate 1, N = 200, D = d, Gaussian W."""
        if self.protocol is None:
            return replace(self, solver=self.resolved_solver)
        return replace(
            self,
            solver="gradient",
            iterations=200 if self.iterations is None else self.iterations,
            learning_rate=1.0 if self.learning_rate == "auto" else self.learning_rate,
            loss="average",
            init="gaussian",
        )

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return asdict(self)


DEFAULTS = {field.name: field.default for field in fields(StoreSettings)}


def _check_effect(given: Collection[str], solver: str, loss: str, protocol: str | None) -> None:
    """Refuses options that do nothing beside the others.

    Raises:
        SettingsError: one is among `given`.
    """
    fixed = ("loss", "init", *CLOSED_FORM_ONLY) if protocol else ()
    other = {"closed-form": "gradient", "gradient": "closed-form"}.get(solver, "")
    idle = {"closed-form": GRADIENT_ONLY, "gradient": CLOSED_FORM_ONLY}.get(solver, ())
    for name in given:
        option = "--" + name.replace("_", "-")
        if name in fixed or (protocol and name == "solver" and solver == "closed-form"):
            raise SettingsError(f"{option} does nothing under the paper's protocol", "leave out one of the two")
        if name == "t" and loss == "temperature":
            raise SettingsError("--t does nothing with the temperature loss, whose own falls", "--loss average makes it count")
        if name in idle:
            raise SettingsError(f"{option} does nothing with the {solver} solver", f"--solver {other} makes it count")


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else text[:37] + "..."
