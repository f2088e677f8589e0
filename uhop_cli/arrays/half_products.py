"""What makes a GPU fast, beyond running the same operations there: its tensor cores, and copies while it works.

**Products of pixels in half precision, almost as exact as in float32.** A pixel is a whole number up to 255, which float16 holds
exactly. The other factor is split in two, q = s (h + l / 2^11), with s a power of two above max |q|, h = half(q / s) and
l = half(2^11 (q / s - h)). Both carry 11 bits, so that no value is off by more than 2^-23 s. Tensor cores multiply halves exactly
and add in float32:

    <q, xi> = s (<h, xi> + <l, xi> / 2^11),

one product with twice the rows, on units that are many times as fast as those for float32.

**Memories that the device has no room for** stay in host memory and are sent chunk by chunk, the next one while one is worked on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from uhop_cli.arrays.library import torch_library

Tensor = Any  # torch.Tensor
BITS = 11  # of the mantissa of float16


def product(left: Tensor, pixels: Tensor) -> Tensor:
    """left @ pixels^T in float32, for left (Q, d) float32 and pixels (m, d), uint8 or float; fast where the device can."""
    torch = torch_library()
    if pixels.dtype == torch.uint8 and pixels.is_cuda and _halves_add_in_float32(str(pixels.device)):
        return half_product(left, pixels, lambda a, b: torch.mm(a, b, out_dtype=torch.float32))
    return left @ pixels.float().T


def half_product(left: Tensor, pixels: Tensor, multiply: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The product at the head of this file.

    Args:
        left: (Q, d) float32.
        pixels: (m, d) uint8.
        multiply: matrices of float16 -> their product, added up and returned in float32.

    Returns:
        (Q, m) float32.
    """
    torch = torch_library()
    largest = left.abs().amax(dim=1, keepdim=True)
    scale = torch.ldexp(torch.ones_like(largest), torch.frexp(largest).exponent)
    unit = left / scale
    high = unit.half()
    low = torch.ldexp(unit - high.float(), torch.tensor(BITS, device=left.device)).half()
    both = multiply(torch.cat([high, low]), pixels.half().T)
    result, rest = both[: len(left)], both[len(left) :]
    result += rest * 2.0**-BITS
    result *= scale
    return result


@cache
def _halves_add_in_float32(device: str) -> bool:
    """Whether this torch and this device return products of halves in float32; older ones round them to halves."""
    torch = torch_library()
    try:
        ones = torch.ones((32, 32), dtype=torch.float16, device=device)
        return bool((torch.mm(ones, 4096 * ones, out_dtype=torch.float32) == 32 * 4096).all())  # more than a half can be
    except (RuntimeError, TypeError):
        return False
