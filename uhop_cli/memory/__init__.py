"""The thing that is kept, and the two pipelines through it: `build` (what `uhop store` runs) and `restore` (what `uhop query` runs)."""
