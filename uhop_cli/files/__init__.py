"""Files: names, regular files, atomic writes, locks, and what differs between systems."""
