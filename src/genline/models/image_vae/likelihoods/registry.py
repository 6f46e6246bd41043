"""The likelihoods by name. Another one is a class in a file and an entry here."""

from __future__ import annotations

from collections.abc import Callable

from genline.core.errors import ModelError
from genline.models.image_vae.config import Model
from genline.models.image_vae.likelihoods.base import Likelihood
from genline.models.image_vae.likelihoods.bernoulli import Bernoulli
from genline.models.image_vae.likelihoods.binomial import Binomial
from genline.models.image_vae.likelihoods.categorical import Categorical
from genline.models.image_vae.likelihoods.gaussian import Gaussian
from genline.models.image_vae.likelihoods.logistic import DiscretizedLogistic


def _bernoulli(model: Model, levels: int) -> Likelihood:
    if levels > 2 and model.binarise == "none":
        raise ModelError(
            f"likelihood 'bernoulli' is of black and white, and these images have {levels} grey "
            "levels; use likelihood 'binomial', or set model.binarise to 'static' to model the "
            "images in black and white"
        )
    if levels == 2 and model.binarise == "static":
        raise ModelError(
            "model.binarise is 'static', but the images are black and white as they are; set it to "
            "'none'"
        )
    return Bernoulli(levels, model.binarise_seed)


LIKELIHOODS: dict[str, Callable[[Model, int], Likelihood]] = {
    "bernoulli": _bernoulli,
    "binomial": lambda model, levels: Binomial(levels),
    "categorical": lambda model, levels: Categorical(levels),
    "discretized_logistic": lambda model, levels: DiscretizedLogistic(levels),
    "gaussian": lambda model, levels: Gaussian(levels),
}


def make_likelihood(model: Model, levels: int) -> Likelihood:
    """The likelihood of ``levels`` grey levels. Raises ModelError where it does not fit them."""
    if levels < 2:
        raise ModelError(
            "every value of these images is the same: there is one grey level and nothing to "
            "model; prepare images of two levels or more"
        )
    return LIKELIHOODS[model.likelihood](model, levels)
