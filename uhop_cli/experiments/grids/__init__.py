"""The experiments: grids of conditions."""
