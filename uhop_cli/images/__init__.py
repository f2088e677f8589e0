"""From image files to patterns and back: discovery, decoding, patterns, corruptions, encoding."""
