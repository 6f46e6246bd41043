"""Training curves: which columns of a training CSV share a chart, and in which unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genline.reporting.charts import Point, Series, curve_and_points, lines

_VALIDATION = "valid_"
_SPARSE = 21  # points: a curve with fewer has each marked

# Where a family's columns go, as (chart, curve); None leaves a column out that others repeat.
_PLACES: Mapping[str, Mapping[str, tuple[str, str] | None]] = {
    "image_gan": {
        "loss": ("adversarial_loss", "generator"),
        "discriminator_loss": ("adversarial_loss", "discriminator"),
        "generator_gradient": ("gradient", "generator"),
        "discriminator_gradient": ("gradient", "discriminator"),
        "valid_distance_error": None,  # the noise of the distance: training's choice allows for it
    },
    "image_hybrid": {
        "adversarial_loss": ("adversarial_loss", "autoencoder"),
        "discriminator_loss": ("adversarial_loss", "discriminator"),
        "generator_gradient": ("gradient", "autoencoder"),
        "discriminator_gradient": ("gradient", "discriminator"),
        "valid_distance_error": None,
    },
    "text_gan": {
        "loss": None,  # of whichever phase: each has a column of its own
        "pretrain_loss": ("nll", "pretraining"),
        "likelihood_loss": ("nll", "generator"),
        "control_loss": ("nll", "control"),
        "valid_loss": ("nll", "validation"),
        "valid_control_loss": None,
        "generator_distance": ("distance", "generator"),
        "control_distance": ("distance", "control"),
        "adversarial_loss": ("adversarial_loss", "generator"),
        "discriminator_loss": ("adversarial_loss", "discriminator"),
        "valid_distance_error": None,  # the noise of the distance: training's choice allows for it
    },
}
_TITLES = {
    "loss": "Loss",
    "distance": "Energy distance of samples",
    "nll": "Negative log-likelihood",
    "reconstruction": "Reconstruction",
    "kl": "KL to the prior",
    "adversarial_loss": "Adversarial loss",
    "discriminator_accuracy": "Discriminator accuracy",
    "squared_gradient": "Discriminator gradient on real items",
    "squared_gradient_generated": "Discriminator gradient on generated items",
    "gradient": "Norm of the gradients",
    "code_information": "Information of the codes",
}
# A GAN's losses are on the scale of its objective: no unit compares them with others'.
_UNITS = {
    "loss": "nats per {item}",
    "nll": "nats per {item}",
    "reconstruction": "nats per {item}",
    "kl": "nats per {item}",
    "adversarial_loss": "loss",
    "discriminator_accuracy": "share of the batch",
    "squared_gradient": "squared norm",
    "squared_gradient_generated": "squared norm",
    "gradient": "norm",
    "code_information": "nats per {item}",
    "distance": "distance of {space}",
}
# What the energy distance is measured in, by kind.
_SPACES = {"image": "pixels in [−1, 1]", "text": "n-gram counts"}
_NOTES = {
    "distance": "An estimate without bias: where the true distance is near 0 it may fall below 0."
}

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One chart: its title, its SVG, the names of its series in the order of their colours."""

    title: str
    unit: str
    svg: str
    legend: tuple[str, ...]
    note: str = ""


def training_panels(
    experiment: str, kind: str, family: str, curve: Mapping[str, Points]
) -> list[Panel]:
    """One panel a quantity, its training and validation curves together.

    curve: (step, value)s by column of the CSV. Columns not known here have a chart each.
    """
    groups: dict[str, dict[str, Points]] = {}
    for column, points in (_by_network(curve) if family == "text_gan" else curve).items():
        place = _place(family, column)
        if place is not None:
            groups.setdefault(place[0], {})[place[1]] = points
    panels = []
    for quantity, found in groups.items():
        unit = _UNITS.get(quantity, "value").format(item=kind, space=_SPACES[kind])
        svg = lines(
            f"{experiment} {quantity}",
            [Series(name, points, len(points) < _SPARSE) for name, points in found.items()],
            "step",
            unit,
        )
        words = quantity.replace("_", " ")
        title = _TITLES.get(quantity, words[:1].upper() + words[1:])
        panels.append(Panel(title, unit, svg, tuple(found), _NOTES.get(quantity, "")))
    return panels


def sweep_panel(experiment: str, sweep: Sequence[Mapping[str, float]], own: Point | None) -> Panel:
    """The control's forward and reverse perplexity by temperature, and the GAN's own point."""
    curve = [
        Point(row["forward_perplexity"], row["reverse_perplexity"], f"T = {row['temperature']:g}")
        for row in sorted(sweep, key=lambda row: row["temperature"])
    ]
    svg = curve_and_points(
        f"{experiment} sweep",
        curve,
        [own] if own else [],
        "forward perplexity",
        "reverse perplexity",
    )
    legend = ("control by temperature", *([experiment] if own else []))
    return Panel("Quality against diversity", "perplexity", svg, legend)


def _by_network(curve: Mapping[str, Points]) -> dict[str, Points]:
    """With the distance of a text GAN's control, whose phase comes last, as a curve of its own."""
    found = dict(curve)
    last = max((step for step, _ in curve.get("adversarial_loss", ())), default=None)
    if last is not None and "valid_distance" in found:
        points = found.pop("valid_distance")
        found["generator_distance"] = [p for p in points if p[0] <= last]
        found["control_distance"] = [p for p in points if p[0] > last]
    return {name: points for name, points in found.items() if points}


def _place(family: str, column: str) -> tuple[str, str] | None:
    known = _PLACES.get(family, {})
    if column in known:
        return known[column]
    if column.startswith(_VALIDATION):
        return column.removeprefix(_VALIDATION), "validation"
    return column, "training"
