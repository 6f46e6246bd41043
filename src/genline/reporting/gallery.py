"""Samples beside real data, with captions that say what a reader should see."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from genline.reporting.inputs import Dataset, Experiment
from genline.reporting.reconstructions import Kept, kept
from genline.reporting.samples import cut_grid, read_texts

_SHOWN, _FOLDED = 10, 40  # texts at once, and behind "more"
_PAIRS = 12
# Pixels: the narrowest phone's, so that no grid is scaled there; and rows, an even number, since
# reconstructions stand in pairs.
_ACROSS, _ROWS = 288, 6


@dataclass(frozen=True)
class Picture:
    title: str
    caption: str
    alt: str
    source: str  # a data: address


@dataclass(frozen=True)
class Texts:
    title: str
    caption: str
    shown: tuple[str, ...]
    folded: tuple[str, ...]


@dataclass(frozen=True)
class Pairs:
    title: str
    caption: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Gallery:
    """``main`` stands open, real data first; ``more`` and ``reconstructions`` are folded."""

    main: tuple[Picture | Texts, ...]
    more: tuple[Picture | Texts, ...]
    reconstructions: tuple[Picture | Pairs, ...]
    kept: tuple[tuple[str, Kept], ...]  # what a text model's reconstructions keep, by experiment
    files: tuple[str, ...]  # the folders with all that was drawn


def gallery(dataset: Dataset) -> Gallery | None:
    """The samples of a dataset's experiments; None where it has none."""
    if not dataset.experiments:
        return None
    spec = dataset.prepared["spec"]

    def show(path: Path, title: str, caption: str) -> Picture | Texts:
        if dataset.kind == "image":
            return _picture(path, title, caption, spec)
        return _texts(path, title, caption)

    first = dataset.experiments[0]
    main = [show(first.real, "Real", "Held-out test items, which no model has seen.")]
    more: list[Picture | Texts] = []
    reconstructions: list[Picture | Pairs] = []
    for experiment in dataset.experiments:
        main.append(show(experiment.samples, experiment.name, _what_to_see(dataset.kind)))
        more += [
            show(path, f"{experiment.name}, {variant}", _what_variant(variant))
            for variant, path in experiment.variants.items()
        ]
        if experiment.reconstructions is not None:
            reconstructions.append(_reconstructions(dataset.kind, experiment, spec))
    files = tuple(f"reports/samples/{e.name}" for e in dataset.experiments)
    return Gallery(tuple(main), tuple(more), tuple(reconstructions), kept_content(dataset), files)


def kept_content(dataset: Dataset) -> tuple[tuple[str, Kept], ...]:
    """What the reconstructions of each text model that has some keep of their originals."""
    found = []
    for experiment in dataset.experiments:
        if dataset.kind == "text" and experiment.reconstructions is not None:
            share = kept(_pairs(experiment.reconstructions))
            if share is not None:
                found.append((experiment.name, share))
    return tuple(found)


def _pairs(path: Path) -> list[tuple[str, str]]:
    halves = (line.partition("\t") for line in read_texts(path))
    return [(original, made) for original, _, made in halves]


def _what_to_see(kind: str) -> str:
    if kind == "image":
        return (
            "Drawn at random, none picked out. A good model’s grid could pass for the real one: "
            "every kind of item there, none blurred or broken, no two alike."
        )
    return (
        "Drawn at random, none picked out. A good model’s sentences could stand among the real "
        "ones: they hold together to the end, and no two say the same."
    )


def _what_variant(variant: str) -> str:
    known = {
        "prior": "The same model, with latents from the standard normal prior instead of the "
        "distribution fitted to its posterior: usually rougher.",
        "last": "The same training in the state in which it ended; the other grid is of the state "
        "that came nearest to the validation images.",
        "control": "The same network after as many further steps of maximum likelihood in place "
        "of the adversarial ones: what the GAN has to beat.",
    }
    return known.get(variant, f"The same model through its other sampler, “{variant}”.")


def _reconstructions(kind: str, experiment: Experiment, spec: Mapping[str, int]) -> Picture | Pairs:
    path = experiment.reconstructions
    assert path is not None
    title = f"{experiment.name}, reconstructions"
    if kind == "image":
        return _picture(
            path,
            title,
            "Rows in pairs: test images, and below them what the model makes of each through its "
            "latent code. The same item each time, perhaps smoother.",
            spec,
        )
    return Pairs(
        title,
        "A test sentence, and below it what the model writes from its latent code alone.",
        tuple(_pairs(path)[:_PAIRS]),
    )


def _picture(path: Path, title: str, caption: str, spec: Mapping[str, int]) -> Picture:
    piece = cut_grid(path, spec["height"], spec["width"], _ACROSS, _ROWS)
    source = "data:image/png;base64," + base64.b64encode(piece).decode()
    return Picture(title, caption, f"Grid of images: {title}", source)


def _texts(path: Path, title: str, caption: str) -> Texts:
    lines = read_texts(path)
    shown, folded = lines[:_SHOWN], lines[_SHOWN : _SHOWN + _FOLDED]
    return Texts(title, caption, tuple(shown), tuple(folded))
