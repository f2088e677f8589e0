"""Rows, tables, figures."""
