"""Engines: where the parts of a large piece of work are done, in order, with the same result."""
