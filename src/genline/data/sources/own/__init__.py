"""A user's own data: pictures, arrays, texts and tables, in files of common kinds."""
