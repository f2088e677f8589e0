"""The training loop of all nets: epochs drawn by a seed, a checkpoint after each of them."""

from uhop_cli.nn.training.loop import Fitted, OnEpoch, batches, seeded, train

__all__ = ["Fitted", "OnEpoch", "batches", "seeded", "train"]
