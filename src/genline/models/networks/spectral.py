"""Spectral normalisation of every weight of a network."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def normalise_spectra(network: nn.Module) -> nn.Module:
    """``network`` with each weight matrix divided by its largest singular value, in place.

    Miyato et al. 2018, section 2.1, one power iteration a pass: each layer then changes no
    distance by more than a factor of one. Biases stay as they are.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
            spectral_norm(module)
        elif isinstance(module, nn.LSTMCell):
            for name in ("weight_ih", "weight_hh"):
                spectral_norm(module, name)
    return network
