"""Runs on a Dask cluster what the rooms below do shard by shard."""
