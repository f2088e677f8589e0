"""Nets of the learning experiments (docs/learning.md): sets of tokens, one association, a class."""

from uhop_cli.nn.learning.fit import Learned, accuracy, learn, scores
from uhop_cli.nn.learning.net import Samples, SetClassifier
from uhop_cli.nn.learning.settings import NetSettings, StageOne, TrainingSettings

__all__ = ["Learned", "NetSettings", "Samples", "SetClassifier", "StageOne", "TrainingSettings", "accuracy", "learn", "scores"]
