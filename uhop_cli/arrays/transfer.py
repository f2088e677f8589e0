"""Arrays that stay in host memory, sent to a device part by part, the next one while the last is in use."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.half_products import Tensor
from uhop_cli.arrays.library import torch_library

IN_FLIGHT = 2  # chunks on the device beside the one that is worked on


def send(array: NDArray[Any], device: str, parts: Iterable[slice]) -> Iterator[tuple[slice, Tensor]]:
    """The parts of an array in host memory, on the device one after the other; the next is under way while one is worked on.

    A part is copied into one of two page-locked buffers, and from there by a stream of its own. No more than `IN_FLIGHT` parts are
    ahead of the work, however far the host is ahead of the device.

    Args:
        array: shape (M, ...), may be memory-mapped.
        device: of CUDA.
        parts: slices of its first axis.
    """
    torch = torch_library()
    stream = torch.cuda.Stream(device)
    current = torch.cuda.current_stream(device)
    buffers: deque[tuple[Tensor, Any]] = deque()  # each with the event after which it may be written again
    waiting: deque[tuple[slice, Tensor, Any]] = deque()  # sent
    worked: deque[Any] = deque()  # events after which the parts handed out are done with

    def hand_out() -> tuple[slice, Tensor]:
        rows, sent, arrived = waiting.popleft()
        current.wait_event(arrived)
        sent.record_stream(current)  # its memory is not given away before the work on it is done
        return rows, sent

    for rows in parts:
        part = array[rows]
        if len(worked) >= IN_FLIGHT:
            worked.popleft().synchronize()
        if len(buffers) < 2:
            buffer = torch.from_numpy(np.empty_like(part)).pin_memory()
        else:
            buffer, copied = buffers.popleft()
            copied.synchronize()
        np.copyto(buffer[: len(part)].numpy(), part)
        with torch.cuda.stream(stream):
            sent = buffer[: len(part)].to(device, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record(stream)
        buffers.append((buffer, arrived))
        waiting.append((rows, sent, arrived))
        if len(waiting) == IN_FLIGHT:
            yield hand_out()
            done = torch.cuda.Event()
            done.record(current)
            worked.append(done)
    while waiting:
        yield hand_out()
