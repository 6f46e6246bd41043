"""The validation page; imports nothing else of reporting but what is in this folder."""
