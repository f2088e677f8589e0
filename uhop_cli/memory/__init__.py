"""The thing that is kept, and the two pipelines through it: `build` (`uhop store`) and `restore` (`uhop query`)."""
