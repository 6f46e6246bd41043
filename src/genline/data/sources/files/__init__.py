"""Reading files that others made: compressed, archived, pictures, arrays, lines and tables."""
