"""Experiments that learn from labelled data: classify, expressiveness and mil (docs/learning.md)."""
