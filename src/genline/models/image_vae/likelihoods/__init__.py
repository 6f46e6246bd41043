"""Normalised likelihoods of an image given z, so that nats and bits mean something."""
