"""What can be promised about a set of memories before any query is seen."""
