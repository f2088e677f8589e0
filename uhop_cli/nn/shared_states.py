"""Few states that all samples share, as in pooling: the projections are folded into them, and patterns are not projected at all.

    beta q_h (W_K Phi y + b_K) = beta (q_h W_K W) y + a constant
    sum_s p_s (W_V y_s + b_V) = W_V (sum_s p_s y_s) + b_V sum_s p_s

The constant is that of all patterns, and a separation that does not change when a number is added to all scores does not see it.
All heads then read the same patterns: they are states of one head. A sample takes O(H L S d) instead of O(S d^2) operations, and
O(H L S) memory.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from uhop_cli.nn import masks
from uhop_cli.nn.attention import Rule
from uhop_cli.nn.feature_map import FeatureMap
from uhop_cli.nn.projections import InProjections
from uhop_cli.nn.separation import separate

BLIND = ("softmax", "sparsemax", "entmax", "top-k", "argmax")  # to a number added to all scores of a state


def foldable(layer: InProjections, rule: Rule, state: Tensor | None, mask: Tensor | None) -> bool:
    """Whether `read` gives what the layer is defined to give, with less work."""
    hidden = layer.sizes.hidden
    return (
        state is not None
        and hidden is not None
        and state.ndim == 3
        and state.shape[0] == 1
        and 2 * state.shape[1] <= hidden
        and not layer.sizes.static
        and layer.norm_hopfield_space is None
        and rule.separation.kind in BLIND
        and not rule.separation.learned
        and rule.steps == 1
        and not rule.null
        and (mask is None or mask.ndim == 2)
    )


def read(
    layer: InProjections, rule: Rule, stored: Tensor, state: Tensor, projection: Tensor, mask: Tensor | None, dropout: float
) -> Tensor:
    """What H heads read, (B, H, L, P), where `foldable`.

    Args:
        layer: projections, norms and Phi.
        rule: of the association.
        stored: (B, S, d_Y).
        state: (1, L, d_R).
        projection: what values are made of, (B, S, d_P).
        mask: (B, S), see `nn.masks`.
        dropout: of the weights.
    """
    heads, states = layer.sizes.heads, state.shape[1]
    (wk, bk), (wv, bv) = layer.weight_and_bias("stored"), layer.weight_and_bias("projection")
    assert wk is not None
    assert wv is not None
    q = rule.scaled(layer.project_states(state)) @ wk.reshape(heads, -1, wk.shape[1])
    y = stored if layer.norm_stored_pattern is None else layer.norm_stored_pattern(stored)
    if isinstance(layer.kernel, FeatureMap) and not layer.kernel.normalize:
        q = q @ layer.kernel.weight
    elif layer.kernel is not None:
        y = layer.kernel(y)
    v = projection if layer.norm_pattern_projection is None else layer.norm_pattern_projection(projection)
    v = v.expand(len(y), -1, -1)
    scores = (y @ q.flatten(0, 2).mT).mT[:, None]  # (B, 1, H L, S)
    scores = masks.applied(scores, masks.expanded(mask, (len(y), 1, heads * states, y.shape[1])))
    weights = F.dropout(separate(rule.separation, scores), dropout)[:, 0].to(v.dtype)
    z = (weights @ v).reshape(len(y), heads, states, -1).transpose(0, 1)  # (H, B, L, d)
    total: Tensor | float = 1.0
    if mask is not None or dropout:  # of a sample without patterns, and with dropout, the weights do not add up to 1
        total = weights.sum(dim=-1).reshape(len(y), heads, states, 1).transpose(0, 1)
    if layer.sizes.values == "stored":
        z = z @ wk.mT if bk is None else z @ wk.mT + bk * total
    z = (z.flatten(1, 2) @ wv.reshape(heads, -1, wv.shape[1]).mT).reshape(heads, len(y), states, -1)  # all samples in one product
    z = z if bv is None else z + bv.reshape(heads, 1, 1, -1) * total
    return z.transpose(0, 1)
