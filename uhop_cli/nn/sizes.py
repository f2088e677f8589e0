"""The sizes of a Hopfield layer, as they follow from its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from uhop_cli.errors import SettingsError

ROLES = ("state", "stored", "projection")  # in the order of W_Q, W_K, W_V
LETTERS = {"state": "q", "stored": "k", "projection": "v"}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of a layer, as they follow from its arguments (`Hopfield`).

    Attributes:
        state, stored, projection: features of the three inputs.
        features: of states and stored patterns after Phi; None: as before.
        hidden, pattern: features of a state and of a value in the association space, a head.
        output: of the layer, None without an output projection.
        heads: H.
        values, static: as in `Hopfield`.
    """

    state: int | None
    stored: int | None
    projection: int | None
    features: int | None
    hidden: int | None
    pattern: int | None
    output: int | None
    heads: int
    values: Literal["projection", "stored"]
    static: tuple[str, ...]

    @classmethod
    def of(
        cls,
        input_size: int | None,
        hidden_size: int | None,
        output_size: int | None,
        *,
        heads: int,
        pattern: int | None,
        stored: int | None,
        projection: int | None,
        kernel: nn.Module | None,
        values: Literal["projection", "stored"],
        static: tuple[str, ...],
        normalize: bool,
        out_projection: bool,
    ) -> Sizes:
        """Defaults filled in, and checked.

        Raises:
            SettingsError: sizes that do not fit each other.
        """
        given = [n for n in (input_size, hidden_size, output_size, heads, pattern, stored, projection) if n is not None]
        if min(given) < 1:
            raise SettingsError(f"sizes and heads are at least 1, not {min(given)}")
        if not set(static) <= set(ROLES) or values not in ("projection", "stored"):
            raise SettingsError(
                f"static={static!r}, values={values!r}", "static: stored, state, projection; values: projection or stored"
            )
        stored, projection = stored or input_size, projection or input_size
        features = None if kernel is None else feature_size(kernel) or input_size
        if kernel is not None and stored != input_size:
            raise SettingsError("a kernel takes state patterns and stored patterns of one size", "give them one size, or no kernel")
        state_in, stored_in = features or input_size, features or stored
        if hidden_size is None:
            hidden_size = state_in if "state" in static else stored_in if "stored" in static else None
        if hidden_size is None and input_size is not None:
            if input_size % heads:
                raise SettingsError(
                    f"{input_size} features are not to be shared by {heads} heads", "give hidden_size, which is per head"
                )
            hidden_size = input_size // heads
        if pattern is None:
            whole = "projection" in static and values == "projection"
            pattern = projection if whole else hidden_size
        sizes = cls(
            state=input_size,
            stored=stored,
            projection=projection,
            features=features,
            hidden=hidden_size,
            pattern=pattern,
            output=(output_size or input_size) if out_projection else None,
            heads=heads,
            values=values,
            static=static,
        )
        sizes._check(normalize, out_projection, output_size)
        return sizes

    def _check(self, normalize: bool, out_projection: bool, output_size: int | None) -> None:
        bare = set(self.static) == set(ROLES) and not normalize and not out_projection
        if self.state is None and not bare:
            raise SettingsError(
                "input_size=None is for a layer without parameters", "static for all three, normalize=False, out_projection=False"
            )
        if output_size is not None and not out_projection:
            raise SettingsError("output_size without an output projection does nothing", "leave it out")
        for role, size in (("state", self.inputs("state")), ("stored", self.inputs("stored"))):
            if role in self.static and size != self.hidden:
                raise SettingsError(f"static {role} patterns of {size} features in a space of {self.hidden}", "give hidden_size")
        if self.values == "stored":
            if "stored" in self.static:
                raise SettingsError("values='stored' needs W_K, which static stored patterns have not", "use values='projection'")
            if self.projection != self.inputs("stored"):
                raise SettingsError(
                    f"W_K takes {self.inputs('stored')} features, values have {self.projection}", "give them one size"
                )
        if "projection" in self.static:
            size = self.hidden if self.values == "stored" else self.projection
            if size != self.pattern:
                raise SettingsError(
                    f"static values have {size} features, not pattern_size={self.pattern}", "leave pattern_size out"
                )

    def inputs(self, role: str) -> int | None:
        """Features that the projection of this role takes."""
        if role == "projection":
            return self.projection
        return self.features or (self.state if role == "state" else self.stored)

    def shape(self, role: str) -> tuple[int, int] | None:
        """Of the projection of this role, (rows, features); None for a static one."""
        taken, made = self.inputs(role), self.pattern if role == "projection" else self.hidden
        if role in self.static or taken is None or made is None:
            return None
        if role == "projection" and self.values == "stored":
            assert self.hidden is not None
            taken = self.heads * self.hidden
        return self.heads * made, taken

    @property
    def packed(self) -> bool:
        """Whether the three projections are one matrix, `in_proj_weight`, as in `nn.MultiheadAttention` and hflayers."""
        shapes = {self.shape(role) for role in ROLES}
        return self.values == "projection" and not self.static and len(shapes) == 1


def feature_size(kernel: nn.Module) -> int | None:
    """Features that a kernel makes, where the module says it."""
    found = getattr(kernel, "feature_size", None) or getattr(kernel, "out_features", None)
    return found if isinstance(found, int) else None
