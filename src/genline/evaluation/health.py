"""Health checks: what would make a model unfit whatever its score, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from genline.core.arrays import Floats
from genline.evaluation.config import CollapseLimits, CommonHealth, ImageHealth
from genline.evaluation.record import Check, Metric

_GRADIENT = "_gradient"  # ends the columns of a training curve that hold gradients' norms
_STRETCH = 5  # a fifth of a training is what its beginning and its end are judged by


def common(
    metrics: Mapping[str, Metric], distance: Metric, limits: CommonHealth, free_bits: float
) -> dict[str, Check]:
    """The checks of any model: divergence, and of a VAE its latents."""
    checks = {"divergence": divergence(metrics, distance, limits.floors)}
    if "kl" in metrics:
        checks["posterior_collapse"] = posterior_collapse(metrics, limits, free_bits)
    return checks


def posterior_collapse(
    metrics: Mapping[str, Metric], limits: CollapseLimits, free_bits: float = 0.0
) -> Check:
    """Whether z carries something and the decoder uses it; wants the variational metrics.

    A KL above a floor that training enforced, ``free_bits`` nats an item, is no evidence alone,
    nor is mutual information: the decoder must also suffer, beyond the interval, when it is given
    another item's z.
    """
    kl, use, information = (metrics[name] for name in ("kl", "decoder_use", "mutual_information"))
    trained = f"; training let {free_bits:g} cost nothing" if free_bits else ""
    figures = (
        f"KL {kl.value:.2f} (at least {limits.kl:g}{trained}), mutual information "
        f"{information.value:.2f} (at least {limits.mutual_information:g}), decoder use "
        f"{use.value:.2f} nats (interval from {use.low:.2f}, above 0)"
    )
    passed = (
        kl.value >= limits.kl and information.value >= limits.mutual_information and use.low > 0
    )
    return Check(passed, f"{'the latents are used' if passed else 'collapsed'}: {figures}")


def mode_drop(class_kl: Metric, generated: Floats, real: Floats, kl: float, share: float) -> Check:
    """Whether every class of real data is generated.

    generated and real: the share of each class, (classes,). Fails when the class KL is above
    ``kl``, or some class has less than ``share`` of its real share.
    """
    rare = np.flatnonzero(generated < share * real)
    if len(rare):
        names = ", ".join(map(str, rare))
        return Check(
            False, f"classes that are rare or missing: {names} (below {share:.0%} of their share)"
        )
    figures = f"class KL {class_kl.value:.3f} (at most {kl:g})"
    if not class_kl.value <= kl:
        return Check(False, f"classes are out of proportion: {figures}")
    return Check(True, f"all {int((real > 0).sum())} classes are generated: {figures}")


def memorisation(ratio: Metric, least: float) -> Check:
    """Whether samples keep as far from the training images as unseen real ones do."""
    figures = (
        f"distance to training data is {ratio.value:.2f} of unseen data's (at least {least:g})"
    )
    passed = ratio.value >= least
    return Check(passed, figures if passed else f"copies: {figures}")


def near_copies(copied: Metric, most: float) -> Check:
    """Whether few enough samples are all but training images; ``copied`` is their share.

    Its floor is what an honest sampler has. With so few test images that the floor's interval
    reaches beyond ``most``, the interval decides.
    """
    allowed = max(most, copied.floor_high or 0.0)
    figures = (
        f"{copied.value:.1%} of the samples lie as near to a training image as hardly any unseen "
        f"one does (at most {allowed:.1%})"
    )
    passed = copied.value <= allowed
    return Check(passed, figures if passed else f"the samples hold copies: {figures}")


def divergence(metrics: Mapping[str, Metric], distance: Metric, floors: float) -> Check:
    """Whether every figure is finite and ``distance`` is no more than ``floors`` floors."""
    broken = sorted(name for name, metric in metrics.items() if not metric.finite)
    if broken:
        return Check(False, f"not finite: {', '.join(broken)}")
    if not distance.floor:
        return Check(True, "every figure is finite")
    times = distance.value / distance.floor
    figures = f"{distance.title} is {times:.1f} times its floor (at most {floors:g})"
    passed = times <= floors
    return Check(passed, figures if passed else f"the model has diverged: {figures}")


def repetition(unique: Metric, least: float) -> Check:
    """Whether enough of the samples differ; ``unique`` is the share of distinct ones."""
    figures = f"{unique.value:.1%} of the samples are distinct (at least {least:.1%})"
    passed = unique.value >= least
    return Check(passed, figures if passed else f"the samples repeat themselves: {figures}")


def copying(copied: Metric, most: float) -> Check:
    """Whether few enough samples are training items word for word; ``copied`` is their share."""
    figures = f"{copied.value:.1%} of the samples stand in the training data (at most {most:.1%})"
    passed = copied.value <= most
    return Check(passed, figures if passed else f"the samples are copies: {figures}")


def adversarial(curve: Mapping[str, Sequence[float]], limits: ImageHealth) -> dict[str, Check]:
    """The checks of an adversarial training by its curve; none where it has no such columns.

    curve: the values of each column of the training's record, in the order of the steps.
    """
    checks = {}
    if curve.get("discriminator_accuracy"):
        accuracy = curve["discriminator_accuracy"]
        checks["discriminator"] = balance(accuracy, limits.discriminator_accuracy)
    norms = {k.removesuffix(_GRADIENT): v for k, v in curve.items() if k.endswith(_GRADIENT) and v}
    if norms:
        checks["gradients"] = gradients(norms, limits.gradient_change)
    return checks


def balance(accuracy: Sequence[float], most: float) -> Check:
    """Whether the discriminator still errs at the end, so that the generator learns from it.

    One that is always right gives a gradient of no use (Arjovsky & Bottou 2017, theorem 2.4).
    """
    end = float(np.median(_last(accuracy)))
    figures = f"the discriminator was right for {end:.1%} at the end (at most {most:.1%})"
    passed = end <= most
    return Check(passed, figures if passed else f"it leaves nothing to learn: {figures}")


def gradients(norms: Mapping[str, Sequence[float]], most: float) -> Check:
    """Whether gradients neither vanished nor exploded: the norm at the end over that at the start.

    norms: of each network, by its name. Fails beyond ``most`` times, or below its inverse.
    """
    changes = {}
    for name, values in norms.items():
        start = float(np.median(values[: max(1, len(values) // _STRETCH)]))
        end = float(np.median(_last(values)))
        changes[name] = end / start if start else float(end > 0) * float("inf")
    figures = ", ".join(f"{name}'s {change:.2g} times" for name, change in changes.items())
    figures = f"norms at the end over those at the start: {figures} (within {most:g} times)"
    gone = [name for name, change in changes.items() if not change >= 1 / most]
    grown = [name for name, change in changes.items() if change > most]
    if gone:
        return Check(False, f"the gradients of the {' and '.join(gone)} vanished: {figures}")
    if grown:
        return Check(False, f"the gradients of the {' and '.join(grown)} exploded: {figures}")
    return Check(True, f"gradients keep their size: {figures}")


def _last(values: Sequence[float]) -> Sequence[float]:
    return values[-max(1, len(values) // _STRETCH) :]
