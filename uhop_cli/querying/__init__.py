"""What `uhop query` runs: query -> answer, original, certificate."""
