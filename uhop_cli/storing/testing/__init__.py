"""The self-test of a memory: damaged copies of what it holds, tried."""
