"""Where in a query the original lies, and whether the original itself agrees: frames, alignment, verification."""
