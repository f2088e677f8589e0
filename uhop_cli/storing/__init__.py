"""What `uhop store` runs: files -> plan, patterns, kernel, self-test, memory file."""
