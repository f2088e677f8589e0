"""Hopfield layers with learned patterns: `HopfieldPooling` learns the states, `HopfieldLayer` the stored patterns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from uhop_cli.errors import SettingsError
from uhop_cli.nn.convert import from_hflayers
from uhop_cli.nn.hopfield import Hopfield

SCALE = 0.02  # standard deviation of learned patterns at the start


class HopfieldPooling(nn.Module):
    """Pools a set of patterns: learned state patterns look it up.

    Args:
        input_size: features of a learned state pattern, and of the stored patterns unless `stored_pattern_size` says otherwise.
        quantity: how many states are learned.
        trainable: whether they are.
        settings: as in `Hopfield`.
    """

    def __init__(self, input_size: int, *args: Any, quantity: int = 1, trainable: bool = True, **settings: Any) -> None:
        super().__init__()
        _require_quantity(quantity)
        self.hopfield = Hopfield(input_size, *args, **settings)
        self.pooling_weights = nn.Parameter(torch.randn(1, quantity, input_size) * SCALE, requires_grad=trainable)

    def forward(self, stored: Tensor, projection: Tensor | None = None, *, mask: Tensor | None = None) -> Tensor:
        """(B, quantity * output_size), the answers to the learned states one after the other, from stored patterns (B, S, d)."""
        return self.hopfield(stored, self.pooling_weights, projection, mask=mask).flatten(1)  # type: ignore[no-any-return]

    def associations(self, stored: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """The attention map of the pooling, (B, H, quantity, S)."""
        return self.hopfield.associations(stored, self.pooling_weights, mask=mask)

    def energy(self, stored: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Energy of the learned states, (B, H, quantity)."""
        return self.hopfield.energy(stored, self.pooling_weights, mask=mask)

    @classmethod
    def from_hflayers(cls, source: nn.Module | dict[str, Tensor], **arguments: Any) -> HopfieldPooling:
        """The layer that a `hflayers.HopfieldPooling`, or its state_dict, made with these arguments is (`nn.convert`)."""
        return from_hflayers(cls, source, arguments)


class HopfieldLayer(nn.Module):
    """Looks states up among learned patterns.

    Args:
        input_size: features of a state pattern.
        quantity: how many stored patterns are learned.
        separate_targets: whether the values are made of patterns learned apart; else of the stored patterns.
        trainable, targets_trainable: whether the stored patterns, and the targets, are learned.
        settings: as in `Hopfield`.
    """

    def __init__(
        self,
        input_size: int,
        *args: Any,
        quantity: int = 1,
        separate_targets: bool = False,
        trainable: bool = True,
        targets_trainable: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__()
        _require_quantity(quantity)
        if not targets_trainable and not separate_targets:
            raise SettingsError("there are no targets to freeze", "give separate_targets=True")
        self.hopfield = Hopfield(input_size, *args, **settings)
        sizes = self.hopfield.sizes
        width = sizes.stored or input_size
        self.lookup_weights = nn.Parameter(torch.randn(1, quantity, width) * SCALE, requires_grad=trainable)
        targets = torch.randn(1, quantity, sizes.projection or input_size) * SCALE
        self.target_weights = nn.Parameter(targets, requires_grad=targets_trainable) if separate_targets else None

    def forward(self, state: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """(B, L, output_size) from states (B, L, d)."""
        return self.hopfield(self.lookup_weights, state, self.target_weights, mask=mask)  # type: ignore[no-any-return]

    def associations(self, state: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """The weights of the learned patterns, (B, H, L, quantity)."""
        return self.hopfield.associations(self.lookup_weights, state, mask=mask)

    def energy(self, state: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Energy of the states, (B, H, L)."""
        return self.hopfield.energy(self.lookup_weights, state, mask=mask)

    @classmethod
    def from_hflayers(cls, source: nn.Module | dict[str, Tensor], **arguments: Any) -> HopfieldLayer:
        """The layer that a `hflayers.HopfieldLayer`, or its state_dict, made with these arguments is (`nn.convert`)."""
        return from_hflayers(cls, source, arguments)


def _require_quantity(quantity: int) -> None:
    if quantity < 1:
        raise SettingsError(f"at least one pattern is learned, not {quantity}")
