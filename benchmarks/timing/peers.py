"""pythae's VAEs and its trainer, where it is installed; imported only when asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

LATENT = 16


def quiet() -> None:
    """pythae announces every step of its trainer."""
    logging.disable(logging.INFO)


def pythae_vae(network: str, loss: str = "mse") -> Any:
    """Its VAE for 28×28 pictures with its own networks "mlp", "conv" or "resnet"."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.nn.benchmarks import mnist

    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss=loss)
    if network == "mlp":
        return VAE(config)
    kind = {"conv": "Conv", "resnet": "ResNet"}[network]
    encoder = getattr(mnist, f"Encoder_{kind}_VAE_MNIST")(config)
    return VAE(config, encoder, getattr(mnist, f"Decoder_{kind}_AE_MNIST")(config))


def pythae_turn(
    network: str, images: Tensor, batch: int, steps: int, folder: Path
) -> Callable[[], float]:
    """``steps`` steps of its trainer's loop at each call, of float32 pictures in [0, 1].

    Its epoch without what it does between epochs: a copy of the best model, and a log.
    """
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    config = BaseTrainerConfig(
        output_dir=str(folder),
        per_device_train_batch_size=batch,
        learning_rate=1e-3,
        no_cuda=True,
        num_epochs=1,
    )
    data = BaseDataset(images[: batch * steps], torch.ones(batch * steps))
    trainer = BaseTrainer(pythae_vae(network), data, training_config=config)
    trainer.prepare_training()
    # The bar that it draws on a terminal is not what is compared.
    bars = [c for c in trainer.callback_handler.callbacks if "ProgressBar" in type(c).__name__]
    for bar in bars:
        trainer.callback_handler.callbacks.remove(bar)

    def turn() -> float:
        trainer.train_step(epoch=1)
        return float(batch * steps)

    return turn
