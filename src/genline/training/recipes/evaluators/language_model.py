"""Fitting the judge of texts: maximum likelihood on train, the best validated state."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from genline.core.seeds import derive_seed
from genline.data.batches import BucketedBatches
from genline.data.prepared import PreparedTexts, SplitName, TextSplit
from genline.models.evaluators.config import TextEvaluator
from genline.models.evaluators.language_model import LanguageModel
from genline.models.evaluators.language_model import build as build_network
from genline.models.initialisation import seeded
from genline.models.networks.frequencies import start_at_frequencies
from genline.training.engine.recipe import Context, Recipe, set_learning_rate
from genline.training.engine.schedules import cosine, ramp

_VALIDATIONS = 8  # each reads the whole split; late ones decide, since the rate falls to zero
_WARMUP = 50  # steps
_CLIP = 1.0  # norm of the gradient


class LanguageModelRecipe(Recipe):
    """Adam with a short warm-up and a cosine schedule, dropout on embeddings and states.

    The output bias starts at the logarithm of the token frequencies, which saves the steps that
    would only learn them.
    """

    selects_by = "valid_nats"

    def __init__(self, context: Context, data: PreparedTexts, params: TextEvaluator) -> None:
        super().__init__()
        self.context = context
        self.steps, self.rate = params.steps, params.learning_rate
        self.validate_every = max(1, params.steps // _VALIDATIONS)
        self.texts, self.valid = data.split("train"), data.split("valid")
        self.batches = BucketedBatches(
            self.texts.lengths,
            min(params.batch, len(self.texts)),
            derive_seed(context.seed, "batches"),
        )
        with seeded(derive_seed(context.seed, "weights")):
            self.network = build_network(params, data.spec)
        start_at_frequencies(self.network.bias, self.texts)
        self.network.to(context.device)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), params.learning_rate, betas=(0.9, 0.99), fused=True
        )
        self.modules["language_model"] = self.network
        self.optimizers["language_model"] = self.optimizer
        self.generators["dropout"] = context.generator("dropout")

    def step(self, step: int) -> dict[str, Tensor]:
        rate = cosine(step, self.steps, self.rate) * ramp(step, _WARMUP)
        set_learning_rate(self.optimizer, rate)
        x = self.context.tensor(self.texts.batch(self.batches[step]))
        with self.context.fabric.autocast():
            loss = self.network.token_nll(x, self.generators["dropout"]).mean()
        self.optimizer.zero_grad()
        self.context.fabric.backward(loss)
        clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimizer.step()
        return {"loss": loss}

    def validate(self, step: int) -> dict[str, float]:
        """Nats a token, and their exponential."""
        nats = _nats_a_token(self.network, self.valid)
        return {"valid_nats": nats, "valid_perplexity": math.exp(nats)}

    def result(self) -> dict[str, Tensor]:
        return self.network.state_dict()


def build(context: Context, data: PreparedTexts, params: TextEvaluator) -> Recipe:
    return LanguageModelRecipe(context, data, params)


def assess(evaluator: nn.Module, data: PreparedTexts) -> dict[str, float]:
    """Perplexity on the validation and on the test split, end marks counted."""
    assert isinstance(evaluator, LanguageModel)
    splits: tuple[SplitName, ...] = ("valid", "test")
    return {
        f"{name}_perplexity": math.exp(_nats_a_token(evaluator, data.split(name)))
        for name in splits
    }


def _nats_a_token(network: LanguageModel, texts: TextSplit) -> float:
    return float(network.nats(texts).sum() / (texts.lengths + 1).sum())
