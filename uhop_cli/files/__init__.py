"""Files: names, regular files, atomic writes, locks."""
