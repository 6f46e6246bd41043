"""Data sets known by name: their addresses and checksums, and how they are fetched and read."""
