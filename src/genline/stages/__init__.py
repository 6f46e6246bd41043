"""One thin module a stage: read its slice of params, call the layers below, write its outputs."""
