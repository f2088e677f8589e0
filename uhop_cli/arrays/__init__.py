"""Arrays: which library and device, threads, memory, products."""
