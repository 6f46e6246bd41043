"""Judging a model of images: distances of its samples, a VAE's likelihood, and its health."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genline.core.errors import ModelError
from genline.core.progress import Progress
from genline.core.seeds import derive_seed, numpy_generator
from genline.data.prepared import ImageSplit, PreparedImages
from genline.evaluation import health
from genline.evaluation.class_kl import class_shares
from genline.evaluation.config import EvaluateImages, ImageHealth
from genline.evaluation.image_distances import Reference, distance_metrics
from genline.evaluation.items import Items
from genline.evaluation.reconstruction import reconstruction_error
from genline.evaluation.record import Check, Findings, Metric, of_sampler
from genline.evaluation.variational_metrics import (
    VariationalFigures,
    measure,
    of_likelihood,
    variational_metrics,
)
from genline.models.base import (
    GenerativeModel,
    ImageAutoencoder,
    ImageDecoder,
    LabelReader,
    VariationalModel,
)
from genline.models.evaluators.classifier import ImageClassifier

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

# Small enough that a CPU works in its cache and the system need not hand out fresh memory.
_SAMPLED = 256  # images drawn together
_ENCODED = 64  # images encoded together
_DECODED = 256  # pairs of an image and a z decoded together
_COLUMNS = 10  # of a grid


def evaluate(
    model: GenerativeModel,
    evaluator: ImageClassifier,
    data: PreparedImages,
    params: EvaluateImages,
    seed: int,
    device: torch.device,
    free_bits: float = 0.0,
) -> Findings:
    """Judge ``model`` on the test split of ``data``; both networks are on ``device``.

    The metrics of the default sampler have plain names; those of another end in its name.
    ``free_bits``: nats an image of KL that cost nothing in training.
    """
    reference = Reference(evaluator, data, params.most)
    # More than for a sampler: every figure is read against its floor.
    floors = reference.floors(3 * params.draws, numpy_generator(seed, "floors"))
    metrics: dict[str, Metric] = {}
    shares: dict[str, npt.NDArray[np.float64]] = {}
    for variant in model.variants:
        generator = torch.Generator(device).manual_seed(derive_seed(seed, "samples", variant))
        draws = []
        with Progress(f"samples of {variant}", params.draws, unit="set", brief=True) as bar:
            for _ in range(params.draws):
                draws.append(evaluator.embed(draw(model, reference.count, generator, variant)))
                bar.advance()
        found = distance_metrics(
            [reference.figures(d) for d in draws],
            floors,
            reference.count,
            reference.fid_left_out(draws),
        )
        labels = np.concatenate([d.labels for d in draws])
        shares[variant] = class_shares(labels, reference.classes)
        metrics |= of_sampler(found, variant, model.variants)
    metrics["unseen_fid"] = reference.unseen(params.draws, numpy_generator(seed, "unseen"))
    sizes = np.full(len(data.split("test").images), data.spec.dimensions, np.int64)
    items = Items("dimensions", sizes)
    if isinstance(model, VariationalModel):
        figures = _measure(model, data, params, seed, device)
        metrics |= _likelihoods(figures, data, seed)
        items = replace(items, nats=figures.nats)
    elif isinstance(model, ImageAutoencoder):
        tested = np.asarray(data.split("test").images)
        rebuilt = reconstruct(model, tested, device)
        metrics["reconstruction_error"] = reconstruction_error(
            tested, rebuilt, data.spec.levels, seed
        )
    checks = _health(metrics, shares[model.variants[0]], reference.shares, params.health, free_bits)
    return Findings(metrics, checks, items=items)


def draw(
    model: GenerativeModel, count: int, generator: torch.Generator, variant: str | None = None
) -> Images:
    """``count`` samples of ``variant`` (None: the default): uint8 (count, channels, h, w)."""
    sizes = [min(_SAMPLED, count - done) for done in range(0, count, _SAMPLED)]
    with torch.no_grad():
        parts = [model.sample(size, generator, variant).cpu().numpy() for size in sizes]
    return np.concatenate(parts)


@torch.no_grad()
def reconstruct(
    model: VariationalModel | ImageAutoencoder,
    images: Images,
    device: torch.device,
    labels: Labels | None = None,
) -> Images:
    """Each of images (n, channels, height, width) decoded from its code, the posterior's mean.

    labels (n,) are wanted of a class-conditional model. Raises ModelError for a model that cannot
    decode a given z.
    """
    if not isinstance(model, ImageDecoder):
        raise ModelError(f"{type(model).__name__} has no decode(z) to reconstruct images with")
    parts = []
    for x, of_labels in _batches(model, ImageSplit(images, labels), device):
        mean = model.posterior(x)[0] if isinstance(model, VariationalModel) else model.encode(x)
        decoded = model.decode(mean) if of_labels is None else model.decode(mean, of_labels)
        parts.append(decoded.cpu().numpy())
    return np.concatenate(parts)


def _batches(
    model: VariationalModel | ImageAutoencoder, split: ImageSplit, device: torch.device
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """x as ``model`` takes it, and the labels where it is class-conditional."""
    for start in range(0, len(split), _ENCODED):
        x = torch.tensor(split.images[start : start + _ENCODED], device=device)
        labels = None
        if isinstance(model, LabelReader) and model.classes and split.labels is not None:
            labels = torch.tensor(split.labels[start : start + _ENCODED], device=device)
            x = model.labelled(x, labels)
        yield x, labels


@dataclass(frozen=True)
class Grid:
    """images: uint8 (n, channels, height, width), to be shown in rows of ``columns``."""

    images: Images
    columns: int


def shown(
    model: GenerativeModel, data: PreparedImages, count: int, seed: int, device: torch.device
) -> dict[str, Grid]:
    """What a reader looks at, by file name: ``count`` samples of every variant, as many real
    test images, and reconstructions, a row of originals above the row of theirs.
    """
    grids = {}
    for variant in model.variants:
        generator = torch.Generator(device).manual_seed(derive_seed(seed, "shown", variant))
        name = "samples" if variant == model.variants[0] else f"samples_{variant}"
        grids[name] = Grid(draw(model, count, generator, variant), _COLUMNS)
    test = data.split("test")
    real = np.asarray(test.images[:count])
    grids["real"] = Grid(real, _COLUMNS)
    if isinstance(model, VariationalModel | ImageAutoencoder):
        columns = min(_COLUMNS, len(real))
        rows = max(1, count // (2 * columns))
        originals = real[: rows * columns][: len(real) // columns * columns]
        labels = None if test.labels is None else test.labels[: len(originals)]
        theirs = reconstruct(model, originals, device, labels)
        pairs = np.stack(
            [
                originals.reshape(-1, columns, *originals.shape[1:]),
                theirs.reshape(-1, columns, *originals.shape[1:]),
            ],
            axis=1,
        )
        grids["reconstructions"] = Grid(pairs.reshape(-1, *originals.shape[1:]), columns)
    return grids


def _measure(
    model: VariationalModel,
    data: PreparedImages,
    params: EvaluateImages,
    seed: int,
    device: torch.device,
) -> VariationalFigures:
    """The likelihood and the latents on the whole test split, in its order."""
    batches = [x for x, _ in _batches(model, data.split("test"), device)]
    return measure(
        model, batches, params.importance_samples, _DECODED, derive_seed(seed, "variational")
    )


def _likelihoods(figures: VariationalFigures, data: PreparedImages, seed: int) -> dict[str, Metric]:
    """The metrics of ``figures``, and bits a dimension where they are of a probability."""
    metrics, modelled = variational_metrics(figures, "image", seed), figures.modelled
    if not modelled.discrete:
        return metrics
    nll, bits = metrics[of_likelihood("nll", modelled)], data.spec.dimensions * math.log(2)
    themselves = f", under a likelihood of the {data.spec.levels} grey levels themselves"
    levels = "" if modelled.name else themselves
    metrics[of_likelihood("bits_per_dimension", modelled)] = replace(
        nll,
        title="Bits per dimension",
        value=nll.value / bits,
        standard_error=nll.standard_error / bits,
        low=nll.low / bits,
        high=nll.high / bits,
        unit="bits",
        about=f"The importance-weighted bound over {data.spec.dimensions} pixel values{levels}. "
        f"{modelled.about}".rstrip(),
    )
    return metrics


def _health(
    metrics: dict[str, Metric],
    generated: npt.NDArray[np.float64],
    real: npt.NDArray[np.float64],
    limits: ImageHealth,
    free_bits: float,
) -> dict[str, Check]:
    """Of the default sampler; the others stand beside it for comparison."""
    return health.common(metrics, metrics["fid"], limits, free_bits) | {
        "memorisation": health.memorisation(metrics["memorisation"], limits.memorisation),
        "copied": health.near_copies(metrics["copied"], limits.copied),
        "mode_drop": health.mode_drop(
            metrics["class_kl"], generated, real, limits.class_kl, limits.class_share
        ),
    }
