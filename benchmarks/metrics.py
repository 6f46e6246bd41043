"""What three metrics cost beside the forms of them that are in use, and whether they agree.

The Fréchet distance from features of 2048 dimensions beside the one with SciPy's matrix square
root (as pytorch-fid and clean-fid compute it); BLEU and self-BLEU of 10,000 texts against 10,000,
held to NLTK on some of them; the importance-weighted likelihood beside pythae's `get_nll` on the
same networks, weights, images and number of draws. One thread, in rounds of turns.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/metrics.py

pythae pins old packages, so give it an environment of its own (`pip install pythae==0.1.2` beside
torch and genline) and run the script with that; without pythae its rows are left out, and without
NLTK BLEU is not checked.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy import linalg
from threadpoolctl import threadpool_limits
from timing.peers import pythae_vae, quiet
from timing.synthetic import blobs, captions
from timing.turns import Costs, spread, take_turns, times_as_fast
from torch import Tensor

from genline.core.arrays import Floats
from genline.data.prepared import TextSplit
from genline.evaluation.frechet import frechet_between, frechet_distance, gaussian
from genline.evaluation.text.bleu import bleu, self_bleu
from genline.evaluation.variational import encode, likelihoods
from genline.models.base import VariationalModel

ORDERS = (2, 3, 4, 5)
FEW = 100  # texts that NLTK is given
BATCH = 100  # draws of z that pythae decodes at once: its default
ROWS = 256  # pairs of an image and a draw that genline does, as its evaluation of images
ITEMS = {"mlp": 50, "resnet": 8, "conv": 2}  # images a turn, some seconds of pythae's each


def row(title: str, mine: Costs, others: Costs | None = None) -> None:
    line = f"{title}: {spread(mine.processor)} s"
    if others is not None:
        processor, wall = times_as_fast(mine, others)
        line += f" against {spread(others.processor)} s: {spread(processor)} times as fast"
        line += f" (by the wall {spread(wall)})"
    print(line, flush=True)


def once(work: Callable[[], object], found: list[object]) -> Callable[[], float]:
    """A turn that does ``work``, whose result it keeps, and counts as one unit."""

    def turn() -> float:
        found.append(work())
        return 1.0

    return turn


def features(count: int, dimensions: int, seed: int) -> Floats:
    """As of a network's last layer: correlated and at or above zero."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).standard_normal((dimensions, dimensions))
    values = random.standard_normal((count, dimensions)) @ mixing / dimensions**0.5
    return np.maximum(values + 0.05 * seed, 0.0)


def by_matrix_root(x: Floats, y: Floats) -> float:
    return between_by_matrix_root(
        (x.mean(0), np.cov(x, rowvar=False)), (y.mean(0), np.cov(y, rowvar=False))
    )


def between_by_matrix_root(x: tuple[Floats, Floats], y: tuple[Floats, Floats]) -> float:
    shift, root = x[0] - y[0], linalg.sqrtm(x[1] @ y[1])
    return float(shift @ shift + np.trace(x[1]) + np.trace(y[1]) - 2 * np.trace(root.real))


def frechet(count: int, dimensions: int, rounds: int) -> None:
    x, y = features(count, dimensions, 1), features(count, dimensions, 2)
    mine: list[object] = []
    others: list[object] = []
    costs = take_turns(
        {
            "genline": once(lambda: frechet_distance(x, y), mine),
            "sqrtm": once(lambda: by_matrix_root(x, y), others),
        },
        rounds,
        warm_up=0,
    )
    row(f"FID from {count:,} features of {dimensions}", costs["genline"], costs["sqrtm"])
    print(f"  {mine[0]:.10f} and {others[0]:.10f}", flush=True)
    known = [gaussian(x), gaussian(y)]
    moments = [(each.mean, each.covariance) for each in known]
    costs = take_turns(
        {
            "genline": once(lambda: frechet_between(*known), mine),
            "sqrtm": once(lambda: between_by_matrix_root(*moments), others),
        },
        rounds,
        warm_up=0,
    )
    row("  the same, of known moments", costs["genline"], costs["sqrtm"])


def part(texts: TextSplit, count: int) -> TextSplit:
    return TextSplit(texts.tokens[: texts.offsets[count]], texts.offsets[: count + 1])


def overlaps(count: int, rounds: int) -> None:
    hypotheses, references = captions(count, 6000, 1), captions(count, 6000, 2)
    found: list[object] = []
    costs = take_turns(
        {
            "bleu": once(lambda: bleu(hypotheses, references, ORDERS), found),
            "self": once(lambda: self_bleu(hypotheses, ORDERS), found),
        },
        rounds,
    )
    title = f"BLEU-2 to 5 of {count:,} × {count:,} texts"
    row(title, costs["bleu"])
    row(title.replace("BLEU", "self-BLEU"), costs["self"])
    if importlib.util.find_spec("nltk") is None:
        print("  not held to NLTK: it is not installed (pip install nltk)", flush=True)
    else:
        held_to_nltk(part(hypotheses, FEW), part(references, FEW), count)


def held_to_nltk(hypotheses: TextSplit, references: TextSplit, count: int) -> None:
    """How far off NLTK's figures are, and how long ``count`` texts would take it."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    mine, theirs = ([texts[i].tolist() for i in range(FEW)] for texts in (hypotheses, references))
    smooth, largest, began = SmoothingFunction().method1, 0.0, time.process_time()
    for n in ORDERS:
        even = (1 / n,) * n
        own = [sentence_bleu(theirs, text, even, smooth) for text in mine]
        largest = max(largest, np.abs(bleu(hypotheses, references, ORDERS)[n] - own).max())
        own = [
            sentence_bleu(mine[:i] + mine[i + 1 :], text, even, smooth)
            for i, text in enumerate(mine)
        ]
        largest = max(largest, np.abs(self_bleu(hypotheses, ORDERS)[n] - own).max())
    hours = (time.process_time() - began) * (count / FEW) ** 2 / 3600
    print(
        f"  of {FEW} × {FEW} texts NLTK's differ by {largest:.1e} at the most; all would take it "
        f"{hours:.1f} hours",
        flush=True,
    )


class Wrapped(VariationalModel):
    """pythae's networks as genline's evaluation sees a VAE: images of zeros and ones."""

    def __init__(self, peer: torch.nn.Module) -> None:
        super().__init__()
        self.peer, self.latent = peer, peer.latent_dim

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = self.peer.encoder(x)
        return found.embedding, found.log_covariance

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        chances = self.peer.decoder(z.flatten(0, -2)).reconstruction
        chances = chances.reshape(*z.shape[:-1], -1)
        wanted = x.flatten(1).expand_as(chances)
        losses = torch.nn.functional.binary_cross_entropy(chances, wanted, reduction="none")
        return -losses.sum(-1)

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        self.check_variant(variant)
        chances = self.peer.decoder(torch.randn(count, self.latent, generator=generator))
        return torch.bernoulli(chances.reconstruction, generator=generator).to(torch.uint8)


def fit(peer: torch.nn.Module, images: Tensor, seconds: float = 5.0) -> None:
    """Some seconds of plain training: of an untrained decoder every z says the same."""
    optimizer, order = torch.optim.Adam(peer.parameters(), 1e-3), torch.Generator().manual_seed(0)
    began = time.process_time()
    while time.process_time() - began < seconds:
        chosen = torch.randint(len(images), (64,), generator=order)
        optimizer.zero_grad()
        peer({"data": images[chosen]}).loss.backward()
        optimizer.step()
    peer.eval().requires_grad_(False)


def weighted(draws: int, rounds: int) -> None:
    images = torch.from_numpy(blobs(5000, 1, 28, seed=3) > 127).float()
    for name, count in ITEMS.items():
        torch.manual_seed(1)
        peer = pythae_vae(name, loss="bce")
        fit(peer, images)
        model, test = Wrapped(peer), images[:count]
        noise = torch.Generator().manual_seed(2)
        mine: list[object] = []
        others: list[object] = []

        def by_genline(
            model: Wrapped = model, test: Tensor = test, noise: torch.Generator = noise
        ) -> float:
            batches = [test]
            posteriors = encode(model, batches)
            found = likelihoods(model, batches, posteriors, draws, noise, rows=ROWS)
            return float(found.nll.mean())

        def by_pythae(peer: torch.nn.Module = peer, test: Tensor = test) -> float:
            with torch.no_grad():
                return -float(peer.get_nll(test, n_samples=draws, batch_size=BATCH))

        costs = take_turns(
            {"genline": once(by_genline, mine), "pythae": once(by_pythae, others)}, rounds
        )
        title = f"importance-weighted NLL, {draws} draws, {count} images, {name} VAE"
        row(title, costs["genline"], costs["pythae"])
        means = [statistics.fmean(values) for values in (mine, others)]
        noise_of = statistics.stdev(others) / len(others) ** 0.5 if rounds > 1 else float("nan")
        print(
            f"  {means[0]:.3f} and {means[1]:.3f} nats, standard error of the latter over rounds "
            f"{noise_of:.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--only", nargs="+", choices=["fid", "bleu", "nll"], help="not all three")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--features", type=int, default=10_000, help="of each set, for FID")
    parser.add_argument("--dimensions", type=int, default=2048, help="of the features")
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=500, help="of z an image")
    asked = parser.parse_args()
    wanted = asked.only or ["fid", "bleu", "nll"]
    torch.set_num_threads(1)
    with threadpool_limits(1):
        if "fid" in wanted:
            frechet(asked.features, asked.dimensions, asked.rounds)
        if "bleu" in wanted:
            overlaps(asked.texts, asked.rounds)
        if "nll" in wanted:
            if importlib.util.find_spec("pythae") is None:
                print("likelihoods: no pythae here to hold them to (pip install pythae==0.1.2)")
            else:
                quiet()
                weighted(asked.draws, asked.rounds)


if __name__ == "__main__":
    main()
