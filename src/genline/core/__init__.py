"""The ground layer: parameters, files, seeds, errors and progress. Imports no other layer."""
