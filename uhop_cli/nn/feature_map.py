"""The learned kernel as a module: Phi(x) = W x + b, K(x, y) = <Phi(x), Phi(y)> (U-Hop eq. 2.1)."""

from __future__ import annotations

from os import PathLike
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uhop_cli.errors import SettingsError

Initialisation = Literal["identity", "gaussian", "orthogonal"]


class FeatureMap(nn.Module):
    """Phi, for `Hopfield(kernel=...)`.

    A linear Phi adds no function to a layer whose states and patterns are projected: W_K Phi(x) is again affine in x
    (`Hopfield.fold`). What it changes is the path of the optimiser, and the place where the separation loss acts.

    Args:
        size: d, features of a pattern.
        feature_size: D; d by default.
        init: W: "identity", "gaussian" (independent normals of variance 1 / d, which keep lengths), or "orthogonal" (rows, or
        columns
            where D > d).
        bias: whether there is a b; it starts at 0.
        normalize: features of length 1 (a vector of length 0 stays 0): the kernel is then the cosine, and the layer cannot be
        folded.

    Raises:
        SettingsError: a size below 1, or an unknown start.
    """

    def __init__(
        self,
        size: int,
        feature_size: int | None = None,
        init: Initialisation = "identity",
        *,
        bias: bool = True,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        self.size, self.feature_size, self.normalize = size, feature_size or size, normalize
        if min(self.size, self.feature_size) < 1:
            raise SettingsError(f"a feature map needs sizes of at least 1, not {size} and {feature_size}")
        weight = torch.empty(self.feature_size, size)
        if init == "identity":
            nn.init.eye_(weight)
        elif init == "gaussian":
            nn.init.normal_(weight, std=size**-0.5)
        elif init == "orthogonal":
            nn.init.orthogonal_(weight)
        else:
            raise SettingsError(f"unknown start '{init}' of a feature map", "identity, gaussian or orthogonal")
        self.weight = nn.Parameter(weight)
        self.bias: nn.Parameter | None
        self.register_parameter("bias", nn.Parameter(torch.zeros(self.feature_size)) if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        """Phi(x), (..., D), from (..., d)."""
        features = F.linear(x, self.weight, self.bias)
        return F.normalize(features, dim=-1) if self.normalize else features

    @torch.no_grad()
    def whiten_(self, tokens: Tensor, rho: float = 1e-2) -> FeatureMap:
        """The closed-form start: W_rho = diag(s / (s^2 + rho')) V^T of the tokens X = U diag(s) V^T (uhop_cli.kernel.closed_form).

        It is scaled so that features have the mean square of the tokens; b becomes 0. Rows beyond the rank of X are 0.

        Args:
            tokens: (..., d), all of them patterns.
            rho: rho' in units of ten times the mean of s^2; the larger, the less small differences are amplified.

        Raises:
            SettingsError: a negative rho, or tokens of another size.
        """
        if rho < 0 or tokens.shape[-1] != self.size or tokens.numel() == 0:
            raise SettingsError(f"tokens of shape {tuple(tokens.shape)} and rho={rho:g}", f"give (..., {self.size}) and rho >= 0")
        x = tokens.detach().reshape(-1, self.size).to(torch.float64)
        squares, basis = torch.linalg.eigh(x.T @ x)
        squares, basis = squares.flip(0).clamp_min(0), basis.flip(1)
        rank = min(len(x), self.size)
        kept = squares > squares[0] * rank * 1e-15
        gains = torch.where(kept, squares.sqrt() / (squares + 10 * rho * squares.sum() / rank).clamp_min(1e-300), 0)
        scale = squares.sum() / (gains.square() * squares).sum().clamp_min(1e-300)
        rows = min(self.feature_size, self.size)
        self.weight.zero_()
        self.weight[:rows] = (scale.sqrt() * gains[:rows, None] * basis.T[:rows]).to(self.weight)
        if self.bias is not None:
            self.bias.zero_()
        return self

    @classmethod
    def from_memory(cls, path: str | PathLike[str]) -> FeatureMap:
        """The kernel of a memory file, features normalised as `uhop query --similarity kernel` has them: Phi(x) = W x / ||W x||.

        Raises:
            MemoryFileError: no memory file, or a damaged one.
        """
        from uhop_cli.memory.file.reader import load

        weight = load(str(path)).kernel.weight
        found = cls(weight.shape[1], weight.shape[0], bias=False, normalize=True)
        with torch.no_grad():
            found.weight.copy_(torch.tensor(weight))
        return found

    def extra_repr(self) -> str:
        """Shown by `repr`."""
        return f"{self.size}, {self.feature_size}, bias={self.bias is not None}, normalize={self.normalize}"
