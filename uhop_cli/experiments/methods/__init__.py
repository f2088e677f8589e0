"""The methods that are compared: importing this package fills the registry."""

from uhop_cli.experiments.methods import as_published as as_published
from uhop_cli.experiments.methods import catalogue as catalogue
from uhop_cli.experiments.methods import losses_and_rates as losses_and_rates
