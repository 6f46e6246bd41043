"""The ground floor: parameters, files, seeds, errors and progress. Imports no other floor."""
