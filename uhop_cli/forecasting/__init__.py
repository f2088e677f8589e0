"""Time series: controls in closed form, and two external memories that correct any forecaster without training it."""
