"""The adversarial objectives by name; ``mle`` is none of them, since nothing plays against it."""

from __future__ import annotations

from genline.models.text_gan.gumbel import FeatureMatching, Gumbel
from genline.models.text_gan.objective import Objective
from genline.models.text_gan.reinforce import Reinforce

OBJECTIVES: dict[str, type[Objective]] = {
    "reinforce": Reinforce,
    "gumbel": Gumbel,
    "feature_matching": FeatureMatching,
}
