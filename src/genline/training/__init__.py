"""Training: one loop, checkpoints, devices, and a recipe for each family."""
