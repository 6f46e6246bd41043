"""Where the latents of a sampled image come from: the prior, or a fitted aggregate posterior."""
