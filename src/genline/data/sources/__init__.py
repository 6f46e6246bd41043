"""Sources: each fetches its raw files and reads their items back."""
