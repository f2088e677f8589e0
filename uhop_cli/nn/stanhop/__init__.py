"""STanHop-Net, its external memory Tune-and-Play, and their training (docs/forecasting.md)."""

from uhop_cli.nn.stanhop.forecaster import predict
from uhop_cli.nn.stanhop.net import STanHopNet
from uhop_cli.nn.stanhop.settings import QUIRKS, NetSettings
from uhop_cli.nn.stanhop.training import TrainingSettings, fit
from uhop_cli.nn.stanhop.tuning import TuneAndPlay

__all__ = ["QUIRKS", "NetSettings", "STanHopNet", "TrainingSettings", "TuneAndPlay", "fit", "predict"]
