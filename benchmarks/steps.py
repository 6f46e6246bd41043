"""How near genline's training is to what its layers cost by themselves, and beside its peers.

First, for the convolutional VAE, the DCGAN and the LSTM VAE of the small presets: the whole loop
(batches, schedules, clipping, optimiser, averaged weights, figures, the curve) beside the forward
and backward passes of the same modules on batches of the same shapes that stand ready, and nothing
else. Validation is no part of either.

Then peers of equal architecture, batch, threads and precision: pythae's MLP, ResNet and
convolutional VAEs through its own trainer; a plain PyTorch loop of SNGAN's networks in mimicry's
widths for 32×32; a plain PyTorch loop, which pads, of an LSTM VAE as large as jxhe's, beside which
each gain stands alone: no padding, a narrower output layer, bf16.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/steps.py

One thread, data made up, in rounds of turns. pythae pins old packages, so give it an environment of
its own (`pip install pythae==0.1.2` beside torch and genline) and run the script with that; without
pythae its rows are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from timing import loops, shapes
from timing.peers import LATENT, pythae_turn, quiet
from timing.synthetic import blobs, prepared_images, prepared_texts
from timing.turns import Turn, rates, take_turns

from genline.models.image_gan.config import Discriminator

PRESETS = Path(__file__).parents[1] / "presets"
VOCABULARY = 10_000
WHOLE, LIMIT = "genline's loop", "kernels alone"
BATCHES = (64, 128)
STEPS = {"vae": 10, "gan": 16, "text": 10}  # of a turn; of the GAN whole periods of its penalty


class Bench:
    """Measures and prints; ``rounds`` of turns each."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self.folder, self.rounds, self.loops = folder, rounds, list[loops.OwnLoop]()
        self.digits = prepared_images(folder / "28", 1, 28)
        self.texts = prepared_texts(folder / "texts", VOCABULARY)

    def own(self, recipe: Any, units: Callable[[range], float]) -> Turn:
        self.loops.append(loops.OwnLoop(recipe, units))
        return self.loops[-1]

    def run(self, title: str, turns: dict[str, Turn], unit: str, against: str) -> None:
        costs = take_turns(turns, self.rounds)
        while self.loops:
            self.loops.pop().close()
        print(f"\n{title}\n\n{rates(costs, unit, against)}", flush=True)

    def near(self, preset: str, batch: int, kind: str) -> None:
        data: Any = self.texts if kind == "text" else self.digits
        file = PRESETS / preset

        def make() -> Any:
            return loops.make_recipe(file, data, STEPS[kind], settings={"batch": batch})

        recipe, other = make(), make()
        kernels = {
            "vae": lambda: loops.image_vae_kernels(other, batch),
            "gan": lambda: loops.image_gan_kernels(other, batch),
            "text": lambda: loops.text_vae_kernels(other),
        }[kind]()
        turns = {
            LIMIT: loops.alone(kernels, STEPS[kind]),
            WHOLE: self.own(recipe, counted(recipe, batch)),
        }
        unit = "tokens" if kind == "text" else "images"
        self.run(f"{preset.removesuffix('.yaml')}, batch {batch}", turns, unit, LIMIT)

    def pythae(self, network: str, batch: int, steps: int) -> None:
        sizes = {"network": f"pythae-{network}", "latent": LATENT, "samplers": ["prior"]}
        file = PRESETS / "mnist-image-vae-small.yaml"

        def make() -> Any:
            return loops.make_recipe(
                file, self.digits, steps, model=sizes, settings={"batch": batch}
            )

        recipe, other = make(), make()
        turns = {
            WHOLE: self.own(recipe, counted(recipe, batch)),
            LIMIT: loops.alone(loops.image_vae_kernels(other, batch), steps),
        }
        against = LIMIT
        if importlib.util.find_spec("pythae") is not None:
            against = "pythae's trainer"
            images = torch.from_numpy(blobs(batch * steps, 1, 28, seed=5)).float() / 255
            turns[against] = pythae_turn(network, images, batch, steps, self.folder / "pythae")
        self.run(f"pythae's {network} VAE, 28×28, batch {batch}", turns, "images", against)

    def sngan(self, batch: int, critics: int) -> None:
        data = prepared_images(self.folder / "32", 3, 32, train=2000, other=500)
        judge = Discriminator(network="residual", width=128, layers=1, norm="spectral")
        settings = {
            "batch": batch,
            "discriminator": judge.model_copy(update={"network": "sngan"}),
            "discriminator_steps": critics,
            "objective": "hinge",
            "r1_gamma": 0.0,
            "learning_rate": 2e-4,
            "beta2": 0.9,
        }
        sizes = {"network": "sngan", "latent": 128}

        def make() -> Any:
            return loops.make_recipe(PRESETS / "mnist-gan-small.yaml", data, 1, sizes, settings)

        recipe, other = make(), make()
        turns = {
            WHOLE: self.own(recipe, counted(recipe, batch)),
            "plain loop": loops.alone(loops.plain_gan(other, batch), 1),
        }
        title = f"SNGAN, 32×32, batch {batch}, {critics} updates of the discriminator a step"
        self.run(title, turns, "images", "plain loop")

    def text_peer(self, size: int, latent: int, batch: int) -> None:
        file = PRESETS / "coco-captions-text-vae-small.yaml"
        sizes = {"embedding": size, "encoder": size, "decoder": size, "latent": latent}
        variants: dict[str, tuple[dict[str, Any], Any]] = {
            f"{WHOLE}: no padding": ({}, "32-true"),
            "and an output layer of half the width": ({"embedding": size // 2}, "32-true"),
            "no padding, bf16": ({}, "bf16-mixed"),
            "all three": ({"embedding": size // 2}, "bf16-mixed"),
        }
        turns: dict[str, Turn] = {}
        split = self.texts.split("train")
        turns["plain loop, padded"] = loops.alone(
            loops.plain_text_vae(split, VOCABULARY, size, latent, batch, 0.5), STEPS["text"]
        )
        for name, (model, precision) in variants.items():
            recipe: Any = loops.make_recipe(
                file,
                self.texts,
                STEPS["text"],
                model={**sizes, **model},
                settings={"batch": batch, "dropout": 0.5},
                precision=precision,
            )
            turns[name] = self.own(recipe, counted(recipe, batch))
        title = f"LSTM VAE, {size} units, z of {latent}, {VOCABULARY:,} words, batch {batch}"
        self.run(title, turns, "tokens", "plain loop, padded")


def counted(recipe: Any, batch: int) -> Callable[[range], float]:
    """Images, or tokens with the end marks, in the given steps of ``recipe``."""
    if not hasattr(recipe, "texts"):
        return lambda steps: float(len(steps) * batch)
    lengths = recipe.texts.lengths
    return lambda steps: float(sum((lengths[recipe.batches[i]] + 1).sum() for i in steps))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    kinds = ["vae", "gan", "text", "pythae", "sngan", "jxhe"]
    parser.add_argument("--only", nargs="+", choices=kinds, help="not all of them")
    parser.add_argument("--rounds", type=int, default=12, help="of turns; SNGAN's, the slowest: 3")
    parser.add_argument("--batch", type=int, nargs="+", default=list(BATCHES), help="of the first")
    parser.add_argument("--sngan-batch", type=int, default=64)
    parser.add_argument("--critics", type=int, default=5, help="SNGAN's discriminator steps")
    asked = parser.parse_args()
    wanted = asked.only or kinds
    torch.set_num_threads(1)
    shapes.register()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), asked.rounds)
        for kind, preset in (
            ("vae", "mnist-image-vae-small.yaml"),
            ("gan", "mnist-gan-small.yaml"),
            ("text", "coco-captions-text-vae-small.yaml"),
        ):
            for batch in asked.batch if kind in wanted else ():
                bench.near(preset, batch, kind)
        if "pythae" in wanted:
            quiet()
            for network, steps in (("mlp", 60), ("resnet", 6), ("conv", 2)):
                bench.pythae(network, 64, steps)
        if "jxhe" in wanted:
            bench.text_peer(256, 32, 32)
        if "sngan" in wanted:
            bench.rounds = min(3, bench.rounds)
            bench.sngan(asked.sngan_batch, asked.critics)


if __name__ == "__main__":
    main()
