"""Hopfield layers for torch with a learned kernel: docs/layers.md. Only who imports this package imports torch."""

from uhop_cli.nn.alternation import Alternation
from uhop_cli.nn.attention import associate
from uhop_cli.nn.feature_map import FeatureMap
from uhop_cli.nn.hopfield import Hopfield
from uhop_cli.nn.losses import CodeMeasures, separation_loss
from uhop_cli.nn.wrappers import HopfieldLayer, HopfieldPooling

__all__ = [
    "Alternation",
    "CodeMeasures",
    "FeatureMap",
    "Hopfield",
    "HopfieldLayer",
    "HopfieldPooling",
    "associate",
    "separation_loss",
]
