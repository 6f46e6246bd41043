"""Validation: the item table and its expectations; the only importer of Great Expectations."""
