"""Large memories: which of them are worth examining for a query, and the choice among these."""
