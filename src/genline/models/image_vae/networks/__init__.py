"""Encoders and decoders of image VAEs, a file each."""
