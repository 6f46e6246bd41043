"""Preparation: cleaning, splits and packing."""
