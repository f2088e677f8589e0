"""The Hopfield layer, U-Hop eq. (3.1): states look up stored patterns through a learned kernel.

    Q = W_Q Phi(R),   K = W_K Phi(Y),   V = W_V Y   (or W_V W_K Y),   Z = Sep(beta Q K^T) V,   output = W_O [Z_1 ... Z_H]

R are state patterns, (B, L, d_R), Y stored patterns, (B, S, d_Y), each after a layer norm of its own; W_Q, W_K, W_V with a bias; H
heads. Names are those of hflayers (ml-jku/hopfield-layers) where the meaning is the same; parameters are called as those of
`torch.nn.MultiheadAttention`, so that a layer that is one can be loaded into it (`nn.convert`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from uhop_cli.errors import SettingsError
from uhop_cli.nn.attention import Rule
from uhop_cli.nn.convert import fold, from_hflayers
from uhop_cli.nn.losses import CodeMeasures, measure
from uhop_cli.nn.projections import InProjections
from uhop_cli.nn.random_features import block_orthogonal
from uhop_cli.nn.separation import LayerSeparation
from uhop_cli.nn.shared_states import foldable, read
from uhop_cli.nn.sizes import Sizes


class Hopfield(InProjections):
    """State patterns are associated with stored patterns.

    Args:
        input_size: features of a state pattern; None where nothing is projected or normalised.
        hidden_size: features of a state in the association space, **per head**; by default input_size / num_heads.
        output_size: by default input_size.
        num_heads: H.
        pattern_size: features of a value, per head; by default hidden_size.
        stored_pattern_size, pattern_projection_size: features of stored patterns and of what values are made of; input_size by
        default. kernel: Phi, a `FeatureMap` or any module on the last axis; None is the identity.
        separation: one of `nn.separation.KINDS`.
        beta: inverse temperature: a number, one a head, or "learned" (one a head); by default 1 / sqrt(hidden_size).
        steps: associations in all (hflayers' update_steps_max + 1); None: until the tolerance is met.
        tolerance: see `associate`; a sample and head stops by itself, whatever its neighbours do.
        dropout: of the weights, while training.
        bias: of W_Q, W_K, W_V and W_O.
        normalize: layer norms of the three inputs.
        values: "projection", V = W_V P of the pattern projection P (by default P = Y), or "stored", V = W_V W_K P without Phi
            (eq. 3.1; hflayers' pattern_projection_as_connected).
        static: which of "stored", "state", "projection" go without a projection; every head sees all of their features.
        null: a pattern of zeros in the association space and among the values takes what belongs nowhere.
        out_projection: W_O; without it the output is the values of all heads side by side.

    Raises:
        SettingsError: sizes that do not fit each other, settings that are wrong or would do nothing.
    """

    def __init__(
        self,
        input_size: int | None,
        hidden_size: int | None = None,
        output_size: int | None = None,
        *,
        num_heads: int = 1,
        pattern_size: int | None = None,
        stored_pattern_size: int | None = None,
        pattern_projection_size: int | None = None,
        kernel: nn.Module | None = None,
        separation: str = "softmax",
        beta: float | Sequence[float] | str | None = None,
        steps: int | None = 1,
        tolerance: float | None = None,
        dropout: float = 0.0,
        bias: bool = True,
        normalize: bool = True,
        values: Literal["projection", "stored"] = "projection",
        static: Sequence[str] = (),
        null: bool = False,
        out_projection: bool = True,
    ) -> None:
        sizes = Sizes.of(
            input_size,
            hidden_size,
            output_size,
            heads=num_heads,
            pattern=pattern_size,
            stored=stored_pattern_size,
            projection=pattern_projection_size,
            kernel=kernel,
            values=values,
            static=tuple(static),
            normalize=normalize,
            out_projection=out_projection,
        )
        super().__init__(sizes, kernel, bias=bias, normalize=normalize)
        if not 0 <= dropout < 1:
            raise SettingsError(f"dropout is a share in [0, 1), not {dropout}")
        self.separation = LayerSeparation.parse(separation)
        self.steps: int | tuple[int, ...] | None = steps
        self.tolerance, self.dropout, self.null = tolerance, dropout, null
        self._set_beta(beta)
        self.alpha_logit = nn.Parameter(torch.zeros(num_heads)) if self.separation.learned else None
        omegas = None
        if self.separation.kind == "prf":
            if sizes.hidden is None:
                raise SettingsError("random features need the size of the association space", "give input_size or hidden_size")
            omegas = block_orthogonal(int(self.separation.parameter or 1), sizes.hidden)
        self.omegas: Tensor | None
        self.register_buffer("omegas", omegas)
        self._rule()

    def _set_beta(self, beta: float | Sequence[float] | str | None) -> None:
        heads, hidden = self.sizes.heads, self.sizes.hidden
        self._beta: float | tuple[float, ...] | None = None
        self.log_beta: nn.Parameter | None = None
        if self.separation.kind == "linear":
            if beta is not None:
                raise SettingsError("separation 'linear' has no beta", "leave it out")
        elif isinstance(beta, str) and beta != "learned":
            raise SettingsError(f"beta cannot be '{beta}'", "a number, one a head, or 'learned'")
        elif beta is None or beta == "learned":
            if hidden is None:
                raise SettingsError("beta is 1 / sqrt(hidden_size) unless it is given", "give beta, or hidden_size")
            if beta == "learned":
                self.log_beta = nn.Parameter(torch.full((heads,), -math.log(hidden) / 2))
            else:
                self._beta = hidden**-0.5
        elif isinstance(beta, Sequence) and not isinstance(beta, str):
            self._beta = tuple(float(value) for value in beta)
            if len(beta) != heads or not all(0 < value < math.inf for value in self._beta):
                raise SettingsError(f"beta={beta} for {heads} heads", "give one positive number a head")
        else:
            self._beta = float(beta)

    @property
    def beta(self) -> float | tuple[float, ...] | Tensor | None:
        """Inverse temperature: a number, one a head, or learned, (H,); None for linear."""
        return self._beta if self.log_beta is None else self.log_beta.exp()

    @property
    def alpha(self) -> float | Tensor | None:
        """Of the entmax family: a number, or 1 + sigmoid(a), (H,), where it is learned; else None."""
        return self.separation.alpha if self.alpha_logit is None else 1 + self.alpha_logit.sigmoid()

    def forward(
        self, stored: Tensor, state: Tensor | None = None, projection: Tensor | None = None, *, mask: Tensor | None = None
    ) -> Tensor:
        """The output of the layer.

        Args:
            stored: stored patterns Y, (B, S, d_Y).
            state: state patterns R, (B, L, d_R); by default the stored ones. A batch of one serves for all samples.
            projection: what the values are made of, (B, S, d_P); by default the stored patterns.
            mask: see `nn.masks`; bool: True = takes part.

        Returns:
            (B, L, output_size), or (B, L, H pattern_size) without an output projection.

        Raises:
            SettingsError: shapes that do not fit.
        """
        rule, dropout = self._rule(), self.dropout if self.training else 0.0
        if state is not None and foldable(self, rule, state, mask):
            self._check_input(stored, "stored")
            z = read(self, rule, stored, state, self.value_source(stored, projection), mask, dropout)
        else:
            z = rule.read(*self.project(stored, state, projection), mask, dropout)
        z = z.transpose(1, 2).flatten(2)
        return z if self.out_proj is None else self.out_proj(z)

    def associations(self, stored: Tensor, state: Tensor | None = None, *, mask: Tensor | None = None) -> Tensor:
        """The weights of the last step, without dropout: (B, H, L, S), with `null` one more column."""
        q, k = self.project_pair(stored, state)
        return self._rule().weights(q, k, mask)

    def energy(self, stored: Tensor, state: Tensor | None = None, *, mask: Tensor | None = None, updates: int = 0) -> Tensor:
        """E of each state in the association space after some updates, (B, H, L) (`attention.Rule.energy`).

        Args:
            updates: 0 is the state as it comes in; more of them never raise the energy.
        """
        q, k = self.project_pair(stored, state)
        return self._rule(steps=updates + 1).energy(q, k, mask)

    def measure(self, stored: Tensor, *, mask: Tensor | None = None) -> CodeMeasures:
        """How far apart the stored patterns are in the feature space of the kernel, a sample (`nn.losses`).

        Args:
            mask: (B, S), True = is a pattern.
        """
        return measure(self.features(stored), mask)

    def fold(self) -> Hopfield:
        """The plain layer with Phi multiplied into W_Q and W_K: same outputs, no kernel (`nn.convert`)."""
        return fold(self)

    @classmethod
    def from_hflayers(cls, source: nn.Module | dict[str, Tensor], **arguments: Any) -> Hopfield:
        """The layer that a `hflayers.Hopfield`, or its state_dict, made with these arguments is (`nn.convert`)."""
        return from_hflayers(cls, source, arguments)

    def _rule(self, steps: int | None = None) -> Rule:
        random = self.separation.kind == "random" and self.training
        device = next((x.device for x in self.parameters()), None)
        alpha = self.alpha
        return Rule(
            separation=self.separation,
            beta=self.beta,
            alpha=alpha if isinstance(alpha, Tensor) else None,
            omegas=self.omegas,
            steps=self.steps if steps is None else steps,
            tolerance=self.tolerance if steps is None else None,
            null=self.null,
            seed=torch.randint(1 << 31, (), device=device) if random else None,
        )
