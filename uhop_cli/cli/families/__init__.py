"""What `uhop bench` runs beside retrieval: time series, and learning from labelled data."""
