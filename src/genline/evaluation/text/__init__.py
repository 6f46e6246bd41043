"""Metrics of texts, one a file, and the suite that puts them together."""
