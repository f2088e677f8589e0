"""From patterns to the association space: layer norms, Phi, and the projections W_Q, W_K, W_V."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uhop_cli.errors import SettingsError
from uhop_cli.nn.sizes import LETTERS, ROLES, Sizes


class InProjections(nn.Module):
    """Layer norms, Phi and projections of the three inputs of a layer, and its output projection.

    Args:
        sizes: of everything.
        kernel: Phi, or None.
        bias: of all projections.
        normalize: whether there are layer norms.
    """

    def __init__(self, sizes: Sizes, kernel: nn.Module | None, *, bias: bool, normalize: bool) -> None:
        super().__init__()
        self.sizes, self.kernel = sizes, kernel
        shapes = {role: sizes.shape(role) for role in ROLES}
        weights: dict[str, Tensor] = {}
        if sizes.packed:
            rows, width = shapes["state"] or (0, 0)
            weights = dict(zip(ROLES, nn.init.xavier_uniform_(torch.empty(3 * rows, width)).chunk(3), strict=True))
        else:
            weights = {role: nn.init.xavier_uniform_(torch.empty(*shape)) for role, shape in shapes.items() if shape is not None}
        self.install({role: (weight, weight.new_zeros(len(weight)) if bias else None) for role, weight in weights.items()})
        self.out_proj: nn.Linear | None = None
        if sizes.output is not None and sizes.pattern is not None:
            self.out_proj = nn.Linear(sizes.heads * sizes.pattern, sizes.output, bias=bias)
            if bias:
                nn.init.zeros_(self.out_proj.bias)
        self.norm_stored_pattern = _norm(sizes.stored, normalize)
        self.norm_state_pattern = _norm(sizes.state, normalize)
        self.norm_pattern_projection = _norm(sizes.projection, normalize)
        self.norm_hopfield_space: nn.LayerNorm | None = None  # of q and k, a head; only converted layers have one

    def install(self, parts: Mapping[str, tuple[Tensor | None, Tensor | None]]) -> None:
        """Take W_Q, W_K, W_V and their biases from `parts`, by role, as parameters: one matrix where `Sizes.packed` says so."""
        found = {role: parts[role] for role in ROLES if self.sizes.shape(role) is not None}
        weights = {role: weight for role, (weight, _) in found.items() if weight is not None}
        packed = torch.cat(list(weights.values())) if self.sizes.packed else None
        self.in_proj_weight = None if packed is None else nn.Parameter(packed)
        for role in ROLES:
            alone = weights.get(role) if packed is None else None
            setattr(self, f"{LETTERS[role]}_proj_weight", None if alone is None else nn.Parameter(alone.clone()))
        biased = any(bias is not None for _, bias in found.values())
        biases = [weights[role].new_zeros(len(weights[role])) if bias is None else bias for role, (_, bias) in found.items()]
        self.in_proj_bias = nn.Parameter(torch.cat(biases)) if biased else None

    def features(self, stored: Tensor) -> Tensor:
        """Phi of the stored patterns, normalised as in the layer: (B, S, D)."""
        y = stored if self.norm_stored_pattern is None else self.norm_stored_pattern(stored)
        return y if self.kernel is None else self.kernel(y)

    def weight_and_bias(self, role: str) -> tuple[Tensor | None, Tensor | None]:
        """The projection of this role; (None, None) for a static one."""
        shape = self.sizes.shape(role)
        if shape is None:
            return None, None
        place = ROLES.index(role)
        begin = sum((self.sizes.shape(other) or (0,))[0] for other in ROLES[:place])
        rows = slice(begin, begin + shape[0])
        bias: Tensor | None = None if self.in_proj_bias is None else self.in_proj_bias[rows]
        if self.in_proj_weight is not None:
            return self.in_proj_weight[rows], bias
        return getattr(self, f"{LETTERS[role]}_proj_weight"), bias

    def project(self, stored: Tensor, state: Tensor | None, projection: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """q (B, H, L, d), k (B, H, S, d) and v (B, H, S, P)."""
        if state is None and projection is None and self._in_one_product:
            self._check_input(stored, "stored")
            return self._packed_product(stored)
        projection = self.value_source(stored, projection)
        q, k = self.project_pair(stored, state)
        y = projection if self.norm_pattern_projection is None else self.norm_pattern_projection(projection)
        if self.sizes.values == "stored":
            weight, bias = self.weight_and_bias("stored")
            assert weight is not None
            y = F.linear(y, weight, bias)
        weight, bias = self.weight_and_bias("projection")
        if weight is not None:
            v = self._heads(F.linear(y, weight, bias))
        else:
            v = self._heads(y) if self.sizes.values == "stored" else self._whole(y)
        return q, k, v.expand(k.shape[0], -1, -1, -1) if v.shape[0] == 1 else v

    def value_source(self, stored: Tensor, projection: Tensor | None) -> Tensor:
        """What the values are made of, checked: by default the stored patterns."""
        projection = stored if projection is None else projection
        self._check_input(projection, "projection")
        if projection.shape[1] != stored.shape[1]:
            raise SettingsError(f"{stored.shape[1]} stored patterns and {projection.shape[1]} pattern projections")
        return projection

    def project_states(self, state: Tensor) -> Tensor:
        """q, (B, H, L, d)."""
        self._check_input(state, "state")
        r = state if self.norm_state_pattern is None else self.norm_state_pattern(state)
        q = self._projected(r if self.kernel is None else self.kernel(r), "state")
        return q if self.norm_hopfield_space is None else self.norm_hopfield_space(q)

    def _projected(self, x: Tensor, role: str) -> Tensor:
        weight, bias = self.weight_and_bias(role)
        return self._whole(x) if weight is None else self._heads(F.linear(x, weight, bias))

    def project_pair(self, stored: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """q and k."""
        state = stored if state is None else state
        self._check_input(stored, "stored")
        q, k = self.project_states(state), self._projected(self.features(stored), "stored")
        k = k if self.norm_hopfield_space is None else self.norm_hopfield_space(k)
        batch = k.shape[0] if q.shape[0] == 1 else q.shape[0]
        q, k = (x.expand(batch, -1, -1, -1) if x.shape[0] == 1 else x for x in (q, k))
        if q.shape[0] != k.shape[0]:
            raise SettingsError(f"{stored.shape[0]} samples of stored patterns, {state.shape[0]} of states")
        return q, k

    @property
    def _in_one_product(self) -> bool:
        """Whether q, k and v of one and the same input are one matrix product: layer norms then differ in their weights alone."""
        norms = self._norms
        alike = len({None if norm is None else norm.eps for norm in norms}) == 1
        return self.sizes.packed and self.kernel is None and alike

    @property
    def _norms(self) -> tuple[nn.LayerNorm | None, ...]:
        """In the order of `ROLES`."""
        return self.norm_state_pattern, self.norm_stored_pattern, self.norm_pattern_projection

    def _packed_product(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k, v of one input: x normalised once, the weights of the norms taken in by W (g x + c) + b = (W g) x + (W c + b)."""
        assert self.in_proj_weight is not None
        weight: Tensor = self.in_proj_weight
        bias: Tensor | None = self.in_proj_bias
        norms = [norm for norm in self._norms if norm is not None]
        if norms:
            x = F.layer_norm(x, (x.shape[-1],), eps=norms[0].eps)
            parts = list(zip(_affine(norms), weight.chunk(3), strict=True))
            if any(shift is not None for (_, shift), _ in parts):
                moved = torch.cat([part.new_zeros(len(part)) if shift is None else part @ shift for (_, shift), part in parts])
                bias = moved if bias is None else bias + moved
            weight = torch.cat([part if scale is None else part * scale for (scale, _), part in parts])
        batch, length, _ = x.shape
        width = len(weight) // (3 * self.sizes.heads)
        q, k, v = F.linear(x, weight, bias).view(batch, length, 3, self.sizes.heads, width).permute(2, 0, 3, 1, 4)
        if self.norm_hopfield_space is not None:
            q, k = self.norm_hopfield_space(q), self.norm_hopfield_space(k)
        return q, k, v

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, H d) as (B, H, L, d)."""
        return x.reshape(*x.shape[:2], self.sizes.heads, x.shape[2] // self.sizes.heads).transpose(1, 2)

    def _whole(self, x: Tensor) -> Tensor:
        """(B, L, d) as (B, H, L, d): every head sees all features."""
        return x[:, None].expand(-1, self.sizes.heads, -1, -1)

    def _check_input(self, x: Tensor, role: str) -> None:
        size = getattr(self.sizes, role)
        if x.ndim != 3 or (size is not None and x.shape[2] != size):
            raise SettingsError(f"{role} patterns of shape {tuple(x.shape)}", f"give (batch, number, {size or 'features'})")


def _affine(norms: Sequence[nn.LayerNorm]) -> list[tuple[Tensor | None, Tensor | None]]:
    """Weights and biases of layer norms; None for one that has none."""
    return [(norm.weight, norm.bias) if norm.elementwise_affine else (None, None) for norm in norms]


def _norm(size: int | None, normalize: bool) -> nn.LayerNorm | None:
    return nn.LayerNorm(size) if normalize and size is not None else None
