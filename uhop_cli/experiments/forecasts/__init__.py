"""The experiments of forecasting: controls and external memories on time series (`uhop_cli.forecasting`)."""
