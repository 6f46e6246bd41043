"""The engine of every training: the loop, checkpoints, averages, devices."""
