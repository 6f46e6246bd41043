"""What adversarial image recipes share: the measure that chooses their state, and gradients' norms.

An adversarial loss tells nothing of how good samples are, so a state is chosen by their distance to
the validation split.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from genline.data.prepared import PreparedImages
from genline.models.base import GenerativeModel
from genline.models.networks.energy import energy_distance
from genline.models.networks.pixels import normalise
from genline.training.engine.recipe import Context

SETTLING = 16  # batches that the statistics of batch normalisation are of
_SAMPLES = 1000
_IMAGES = 2000  # at most; the distance costs their square
_MEASURES = 100  # of the gradients' norms, over a whole training


class ValidationDistance:
    """The energy distance of a model's samples to validation images, evenly taken if many."""

    def __init__(self, context: Context, data: PreparedImages) -> None:
        images = data.split("valid").images
        chosen = images[:: -(-len(images) // _IMAGES)]
        self.context, self.levels = context, data.spec.levels
        self.images = normalise(context.tensor(chosen), self.levels)

    def of(self, model: GenerativeModel) -> dict[str, float]:
        """``valid_distance`` and its error. The same latents every time, so that its course is
        the generator's and not the draw's."""
        drawn = model.sample(_SAMPLES, self.context.generator("validation"))
        found = energy_distance(normalise(drawn, self.levels), self.images)
        return {"valid_distance": found.distance, "valid_distance_error": found.error}


def measured_every(steps: int) -> int:
    """How many of ``steps`` lie between two measures of the gradients' norms."""
    return max(1, steps // _MEASURES)


def gradient_norm(network: nn.Module) -> Tensor:
    """The Euclidean norm of the gradient of all weights together."""
    return get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
