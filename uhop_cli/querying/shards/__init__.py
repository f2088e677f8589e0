"""Retrieval from a memory in shards: what each shard answers, and how the answers become one."""
