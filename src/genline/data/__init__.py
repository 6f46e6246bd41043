"""The data floor: sources, validation, preparation, and what training reads."""
