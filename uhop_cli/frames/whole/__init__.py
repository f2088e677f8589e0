"""Whole pictures in a query: borders and lines that frame them, and thousands of frames tried on canvases."""
