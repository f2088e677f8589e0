"""What a retrieval may take of the memory there is: queries at a time, and whether the memories' features are worth keeping.

A product with M memories costs d M multiplications, or D M with their features W xi at hand, which cost D d M: after d D / (d - D)
products more than half of the work could have been saved, and whoever has asked so many goes on asking. If it is known before that
so many will be asked, the features cost nothing; nor do they for a tenth less, as pixels have to be converted for a product.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.resources import available_memory
from uhop_cli.memory.memory import Memory

MOST_QUERIES = {"evidence": 256, "similarity": 1024}  # at a time: more bring no speed
ARRAYS_PER_QUERY = {"evidence": 24, "similarity": 6}  # of M float32 values alive at a time: scores of all members, weights, ranks


class Budget:
    """The room that one retriever has, and what it has been asked so far.

    Args:
        memory: what is retrieved from.
        device: where.
        strategy: how.
        expected: queries that are to come in all, where somebody knows; 0 where nobody does.
    """

    def __init__(self, memory: Memory, device: Device, strategy: Literal["evidence", "similarity"], expected: int = 0) -> None:
        self.memory, self.device, self.strategy, self.expected = memory, device, strategy, expected
        self.asked = 0  # queries that went through all memories

    @property
    def batch(self) -> int:
        """How many queries to answer at a time, so that their scores fit into a quarter of the memory there is."""
        room = self.device.free_memory() // 4 // (4 * ARRAYS_PER_QUERY[self.strategy] * len(self.memory))
        return int(np.clip(room, 1, MOST_QUERIES[self.strategy]))

    def features_pay(self, products: int) -> bool:
        """Whether features (D, M) of all memories are worth their while, if each query takes so many products with the memories.

        They have to fit into a quarter of the free memory, and to be less than half as many values as the pixels.
        """
        kernel, count = self.memory.kernel, len(self.memory)
        dim, size = kernel.pattern_dim, kernel.feature_dim
        if 2 * size > dim or not self.device.saves_products or 4 * size * count > available_memory() // 4:
            return False
        return products * max(self.asked, self.expected) * (dim - size) > 0.9 * dim * size
