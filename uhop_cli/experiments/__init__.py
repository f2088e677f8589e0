"""The benchmark: data sets, methods, experiments and reports. What `uhop bench` runs."""
