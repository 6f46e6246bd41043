"""One thin module a stage: read its slice of params, call the floors below, write its outputs."""
