"""Looking at data that is new to the project: what source it is, and what to expect of it."""
