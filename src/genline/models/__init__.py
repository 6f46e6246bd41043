"""Networks and the two families, VAE and GAN, for images and texts: pure torch.

A family is a package here with ``build(model, spec)`` in it and its parameters in ``config.py``;
``FAMILIES`` names them. Nothing here knows of files other than a model folder.
"""

WEIGHTS = "model.safetensors"  # in a model's folder
FAMILIES = ("image_vae", "image_gan", "image_hybrid", "text_vae", "text_gan")
