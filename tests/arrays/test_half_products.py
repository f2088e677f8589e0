"""The products in halves against float64, and the order of copies, on a stand-in for CUDA that runs on the CPU."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.arrays import half_products, transfer
from uhop_cli.arrays.threads import chunks

torch = pytest.importorskip("torch")


def in_float32(left: Any, right: Any) -> Any:
    """Products of halves added up in float32, as tensor cores do it: a product of two halves is exact in float32."""
    assert left.dtype == right.dtype == torch.float16
    return left.float() @ right.float()


@given(st.integers(0, 2**32 - 1), st.integers(-30, 30))
def test_a_product_in_halves_is_nearly_as_good_as_in_float32(seed: int, exponent: int) -> None:
    rng = np.random.default_rng(seed)
    left = (rng.normal(size=(3, 200)) * rng.choice([1, 1e-3, 1e-6, 0], (3, 200)) * 2.0**exponent).astype(np.float32)
    pixels = rng.integers(0, 256, (5, 200), dtype=np.uint8)
    result = half_products.half_product(torch.from_numpy(left), torch.from_numpy(pixels), in_float32).numpy()
    exact = left.astype(np.float64) @ pixels.T
    # what float32 itself may lose in 200 additions of numbers up to 255 max |q|
    bound = 200 * 255 * np.abs(left).max(axis=1, keepdims=True) * 2.0**-23
    assert (np.abs(result - exact) <= bound).all()
    plain = np.abs(left @ pixels.T.astype(np.float32) - exact)
    assert np.abs(result - exact).mean() <= 8 * plain.mean() + 1e-6 * bound.mean()


def test_rows_of_zeros_and_one_value() -> None:
    left = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, -3.0]])
    pixels = torch.tensor([[255, 1], [0, 7]], dtype=torch.uint8)
    assert half_products.half_product(left, pixels, in_float32).tolist() == [[0, 0], [255, 0], [-3, -21]]


def test_on_a_cpu_a_product_is_one_in_float32() -> None:
    left = torch.rand(3, 8)
    pixels = torch.randint(0, 256, (4, 8), dtype=torch.uint8)
    assert torch.equal(half_products.product(left, pixels), left @ pixels.float().T)


class Cuda:
    """Streams and events that do at once what they are asked, and write it down."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        log = self.log

        class Event:
            count = 0

            def __init__(self) -> None:
                Event.count += 1
                self.name = f"event {Event.count}"

            def record(self, stream: Any) -> None:
                log.append(f"{self.name} on {stream}")

            def synchronize(self) -> None:
                log.append(f"wait for {self.name}")

        class Stream:
            def __init__(self, name: str) -> None:
                self.name = name

            def __str__(self) -> str:
                return self.name

            def wait_event(self, event: Event) -> None:
                log.append(f"{self} after {event.name}")

        monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream("copies"))
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream("work"))
        monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
        monkeypatch.setattr(torch.cuda, "Event", Event)
        monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
        monkeypatch.setattr(torch.Tensor, "to", lambda self, device, non_blocking: self.clone())
        monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, stream: log.append(f"kept for {stream}"))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 11])
def test_all_parts_arrive_in_order_and_few_are_ahead(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda()
    cuda.install(monkeypatch)
    array = np.arange(count * 4, dtype=np.uint8).reshape(count, 4)
    got = np.empty_like(array)
    seen = []
    for rows, part in transfer.send(array, "cuda:0", chunks(count, 2)):
        seen.append(rows)
        got[rows] = part.numpy()
        cuda.log.append("worked on")
    assert seen == list(chunks(count, 2))
    assert np.array_equal(got, array)
    arrived = [line for line in cuda.log if line.endswith("on copies")]
    assert len(arrived) == len(seen)
    for line in arrived:  # the work on a part waits for its copy
        assert f"work after {line.removesuffix(' on copies')}" in cuda.log
    sent = worked = 0
    for line in cuda.log:
        sent, worked = sent + line.endswith("on copies"), worked + (line == "worked on")
        assert sent - worked <= transfer.IN_FLIGHT
    waits = sum(line.startswith("wait") for line in cuda.log)
    assert waits == max(0, len(seen) - 2) + max(0, len(seen) - 3)  # for each buffer's last copy, and for the work three parts ago
