"""U-Hop's Algorithm 2: steps on the separation loss of the tokens that the layers attend over, between the steps of the task.

    for each batch:    Phi <- Phi - lr grad L_separation(Phi(tokens)),    `inner` times         alternation.step(x)
                       a step of the task                                                       the user's own loop

The loss is the mean over sequences and layers of `separation_loss`; the tokens are the stored patterns of every `Hopfield` layer
with a kernel, as they come in, after its layer norm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from uhop_cli.errors import SettingsError
from uhop_cli.nn.hopfield import Hopfield
from uhop_cli.nn.losses import SHARPNESS, Kind, separation_loss


class Alternation:
    """Stage I inside a training loop.

    The model is run in evaluation mode meanwhile, so dropout draws nothing and running statistics stay; gradients that the user
    has gathered stay as well. It has no state of its own beside the model's: plain gradient descent.

    Args:
        model: contains `Hopfield` layers with a kernel.
        kind, t: of the separation loss (`separation_loss`).
        inner: N_i, steps on the loss for each call.
        lr: their learning rate.
        parameters: what moves: "kernel", the paper's theta_Phi, the tokens being taken as they are; "all", everything that the loss
            depends on, as in the published code.

    Raises:
        SettingsError: nothing that could move, or settings that make no sense.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        kind: Kind = "orthogonal",
        t: float | None = None,
        inner: int = 1,
        lr: float = 0.1,
        parameters: Literal["kernel", "all"] = "kernel",
    ) -> None:
        if kind not in SHARPNESS or parameters not in ("kernel", "all"):
            raise SettingsError(
                f"kind={kind!r}, parameters={parameters!r}", f"kind: {', '.join(SHARPNESS)}; parameters: kernel or all"
            )
        if inner < 1 or not lr > 0:
            raise SettingsError(f"at least one step with a positive rate, not inner={inner}, lr={lr}")
        self.model, self.kind, self.t, self.inner, self.lr, self.parameters = model, kind, t, inner, lr, parameters
        self.layers = [module for module in model.modules() if isinstance(module, Hopfield) and module.kernel is not None]
        if not self.layers:
            raise SettingsError("the model has no Hopfield layer with a kernel", "give Hopfield(..., kernel=FeatureMap(size))")
        if not self._moving():
            raise SettingsError("no parameter that Stage I would move requires a gradient", "unfreeze the kernel")

    def step(self, *inputs: Any) -> float:
        """`inner` steps on the batch that the model would be called with; returns the loss before the last of them."""
        loss = 0.0
        for _ in range(self.inner):
            value = self._loss(*inputs)
            moving = self._moving()
            found = torch.autograd.grad(value, moving, allow_unused=True)
            with torch.no_grad():
                for parameter, gradient in zip(moving, found, strict=True):
                    if gradient is not None:
                        parameter.sub_(gradient, alpha=self.lr)
            loss = float(value.detach())
        return loss

    def warm_up(self, loader: Iterable[Any], steps: int) -> list[float]:
        """`step` on batch after batch, from the start again where the loader ends: the published Stage I. Returns the losses.

        Args:
            loader: gives batches; of a tuple or list, such as (inputs, labels), the first is taken.

        Raises:
            SettingsError: the loader gives nothing.
        """
        losses: list[float] = []
        while len(losses) < steps:
            before = len(losses)
            for batch in loader:
                losses.append(self.step(batch[0] if isinstance(batch, tuple | list) else batch))
                if len(losses) == steps:
                    break
            if len(losses) == before:
                raise SettingsError("the loader gives no batch")
        return losses

    def _moving(self) -> list[nn.Parameter]:
        owners = [self.model] if self.parameters == "all" else [layer.kernel for layer in self.layers if layer.kernel is not None]
        return list({id(p): p for owner in owners for p in owner.parameters() if p.requires_grad}.values())

    def _loss(self, *inputs: Any) -> Tensor:
        """The separation loss of the model on a batch."""
        through = self.parameters == "all"
        with _evaluating(self.model), _stored_patterns(self.layers) as seen:
            with torch.set_grad_enabled(through):
                self.model(*inputs)
            losses = []
            with torch.enable_grad():
                for layer, stored, mask in seen:
                    if through:
                        features = layer.features(stored)
                    else:
                        with torch.no_grad():
                            tokens = stored if layer.norm_stored_pattern is None else layer.norm_stored_pattern(stored)
                        assert layer.kernel is not None
                        features = layer.kernel(tokens.detach())
                    losses.append(separation_loss(features, self.kind, self.t, mask).mean())
        if not losses:
            raise SettingsError("no Hopfield layer with a kernel was called on at least two patterns")
        return torch.stack(losses).mean()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, module by module put back."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def _stored_patterns(layers: list[Hopfield]) -> Iterator[list[tuple[Hopfield, Tensor, Tensor | None]]]:
    """What the layers are called with while this lasts: layer, stored patterns, and which of them are patterns, (B, S)."""
    seen: list[tuple[Hopfield, Tensor, Tensor | None]] = []

    def record(layer: Hopfield) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            stored = args[0] if args else kwargs["stored"]
            mask = kwargs.get("mask")
            keys = mask if mask is not None and mask.ndim == 2 and mask.shape[0] == stored.shape[0] else None
            if keys is not None and keys.dtype != torch.bool:
                keys = keys != -torch.inf
            if stored.shape[1] > 1:  # a single pattern has no pair
                seen.append((layer, stored, keys))

        return hook

    handles = [layer.register_forward_pre_hook(record(layer), with_kwargs=True) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
