"""The figures of a VAE as metrics: measured in one place, told in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genline.core.arrays import Floats
from genline.core.seeds import derive_seed, numpy_generator
from genline.evaluation.intervals import bootstrap_mean, bootstrap_statistic
from genline.evaluation.record import Better, Description, Metric
from genline.evaluation.variational import (
    Likelihoods,
    Posteriors,
    active_units,
    decoder_use,
    encode,
    likelihoods,
    mutual_information,
)
from genline.models.base import Modelled, VariationalModel

# The figures that are of a likelihood, and so of what it is of.
LIKELIHOODS = ("nll", "elbo", "reconstruction")
OVER_ITEMS = "95 %, bootstrap over test items"


@dataclass(frozen=True)
class VariationalFigures:
    """What was measured on n test items, in nats an item, in the order of the batches given."""

    draws: int  # of the importance-weighted estimate
    posteriors: Posteriors
    likelihoods: Likelihoods
    information: Floats  # (n,)
    use: Floats  # (n,)
    modelled: Modelled = field(default_factory=Modelled)  # what the likelihoods are of

    @property
    def negative_elbo(self) -> Floats:
        """Reconstruction + KL at β = 1, (n,)."""
        return self.likelihoods.reconstruction + self.posteriors.kl

    @property
    def nats(self) -> dict[str, Floats]:
        """The likelihood of each item by metric: what is kept of it (n,)."""
        nats = {"nll": self.likelihoods.nll, "elbo": self.negative_elbo}
        return {of_likelihood(name, self.modelled): values for name, values in nats.items()}


def of_likelihood(metric: str, modelled: Modelled) -> str:
    """The name of a likelihood metric: one of another likelihood than the items' own says so, and
    meets none of theirs in a comparison."""
    return f"{metric}_{modelled.name}" if modelled.name else metric


def measure(
    model: VariationalModel, batches: Sequence[Tensor], draws: int, rows: int, seed: int
) -> VariationalFigures:
    """Every variational figure of the items in ``batches``; see :mod:`.variational`."""

    def stream(name: str) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(seed, name))

    posteriors = encode(model, batches)
    return VariationalFigures(
        draws,
        posteriors,
        likelihoods(model, batches, posteriors, draws, stream("importance"), rows),
        mutual_information(posteriors, stream("information")),
        decoder_use(model, batches, posteriors, stream("shuffle")),
        model.modelled,
    )


def variational_metrics(figures: VariationalFigures, item: str, seed: int) -> dict[str, Metric]:
    """The metrics of ``figures``; ``item`` is what one item is called, 'image' or 'text'."""
    posteriors, count, modelled = figures.posteriors, len(figures.posteriors), figures.modelled
    unit = f"nats/{item}"

    def mean(name: str, title: str, values: Floats, better: Better, about: str) -> Metric:
        spread = bootstrap_mean(values, numpy_generator(seed, "bootstrap", name))
        told = Description(title, better, about, unit)
        return told.metric(float(values.mean()), spread, count, OVER_ITEMS)

    means = posteriors.mean.numpy()
    active = bootstrap_statistic(
        lambda chosen: active_units(means[chosen]),
        count,
        numpy_generator(seed, "bootstrap", "active_units"),
        resamples=200,
    )
    metrics = {
        "nll": mean(
            "nll",
            "Negative log-likelihood, importance-weighted",
            figures.likelihoods.nll,
            "lower",
            f"An upper bound on −log p(x) from {figures.draws} draws of z, tighter than the ELBO.",
        ),
        "elbo": mean(
            "elbo",
            "Negative ELBO",
            figures.negative_elbo,
            "lower",
            "Reconstruction and KL at β = 1, whatever β the training used: the looser bound.",
        ),
        "reconstruction": mean(
            "reconstruction",
            "Reconstruction",
            figures.likelihoods.reconstruction,
            "lower",
            f"−log p(x|z) of the {item} that z was drawn for.",
        ),
        "kl": mean(
            "kl",
            "KL divergence",
            posteriors.kl,
            "none",
            "KL(q(z|x) ‖ p(z)) summed over dimensions; near zero means that z carries nothing.",
        ),
        "mutual_information": mean(
            "mutual_information",
            "Mutual information",
            figures.information,
            "higher",
            f"Between {item} and z under the encoder, q(z) aggregated over all {count} {item}s, "
            f"so at most ln {count} = {math.log(count):.2f}.",
        ),
        "decoder_use": mean(
            "decoder_use",
            "Decoder use",
            figures.use,
            "higher",
            f"How much worse it is to reconstruct one {item} from the z of another; zero means "
            "that the decoder ignores z.",
        ),
        "active_units": Description(
            "Active units",
            "higher",
            "Dimensions whose posterior mean varies over the test set by more than 0.01; a "
            "collapsed model can have them too, so read it beside KL and decoder use.",
            f"of {means.shape[1]}",
        ).metric(active_units(means), active, count, OVER_ITEMS),
    }
    if not modelled.about:
        return metrics
    for name in LIKELIHOODS:
        metric = metrics.pop(name)
        about = f"{metric.about} {modelled.about}"
        metrics[of_likelihood(name, modelled)] = replace(metric, about=about)
    return metrics
