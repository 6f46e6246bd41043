"""Judging a model: one file a metric, each as features → statistics → value.

Everything is float64 and seeded. ``images`` and ``text`` put the metrics of a modality together;
``variational`` has the figures both kinds of VAE share; ``health`` says what has gone wrong.
``intervals`` holds the mathematics of errors, and ``comparison`` holds two models' figures against
each other.
"""
