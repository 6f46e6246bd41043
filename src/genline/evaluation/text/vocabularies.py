"""A model of texts judged on data of another vocabulary: the two meet as strings.

New texts nearly always change the vocabulary, and a champion knows its own alone. A string is what
both can agree on: the present data's texts are written out and read by the champion's tokenizer,
and its samples are written out and read by the present one. *Spelled* means: without an unknown
word, and not longer than the texts that a vocabulary was made with.

**Likelihood.** Let S be the strings that the present vocabulary spells. A candidate is a
distribution over S; the champion spends some of its probability on other strings. What is compared
is therefore the champion given S, −log p(x) + log P(S) in nats a text, so that both are
distributions over the same strings. P(S) is the share of the champion's own samples that lie in S;
taken is the lower end of its 95 % interval (Wilson, 1927), so that chance never counts against the
champion. A test text that the champion cannot spell has probability 0 under it, and infinite nats:
such texts are left out and counted, in the champion's favour. A perplexity is compared by the
present vocabulary's count of a text's tokens on both sides, so that it is a function of the nats,
and the champion's own cuts, which may be finer or coarser, do not enter.

**Distances.** Samples outside S are drawn again: the same distribution given S, read by the present
judge, against all test texts.

A text counts with the one encoding that its tokenizer gives it, on either side, so what a model
spends on other ways to write the same string is lost to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genline.core.arrays import Ids
from genline.core.errors import ModelError
from genline.core.seeds import derive_seed
from genline.data.prepared import (
    UNK,
    PreparedTexts,
    SplitName,
    TextSplit,
    pad_texts,
    strip_marks,
)
from genline.data.tokenizer import TextTokenizer
from genline.evaluation.items import Items
from genline.evaluation.record import Findings, OtherVocabulary
from genline.evaluation.text import suite
from genline.evaluation.text.config import EvaluateTexts
from genline.evaluation.text.ngram_table import pack
from genline.evaluation.text.perplexity import token_counts
from genline.models.base import (
    GenerativeModel,
    TextModel,
    TractableModel,
    VariationalModel,
    draw_samples,
)
from genline.models.evaluators.language_model import LanguageModel
from genline.models.networks.strategy import ANCESTRAL, Strategy

LEAST = 0.5  # of the test texts, and of the samples: with less in common, a person decides
_NORMAL = 1.959964  # standard deviations of a 95 % interval
_PRIOR = "prior"  # the sampler whose likelihood a VAE's bounds are of


@dataclass(frozen=True)
class Language:
    """A vocabulary, its file, and the most tokens that a text of its data has."""

    file: Path
    max_tokens: int

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        return TextTokenizer.load(self.file)

    def write(self, texts: Iterable[Ids]) -> list[str | None]:
        """Each text as a string; None where it holds the token of unknown words."""
        return [None if UNK in text else self.tokenizer.decode(text) for text in texts]

    def spell(self, strings: Iterable[str | None]) -> list[Ids | None]:
        """The tokens of each string; None where it cannot be spelled, or is None itself."""
        given = list(strings)
        tokens = self.tokenizer.encode(string or "" for string in given)
        return [
            None if string is None or UNK in ids or len(ids) > self.max_tokens else ids
            for string, ids in zip(given, tokens, strict=True)
        ]


def evaluate(
    model: GenerativeModel,
    own: Language,
    evaluator: LanguageModel,
    data: PreparedTexts,
    params: EvaluateTexts,
    seed: int,
    device: torch.device,
    free_bits: float = 0.0,
) -> Findings:
    """Judge ``model``, which speaks ``own``, on the test split of ``data``, as the suite does.

    The findings say how much the two have in common, and hold the likelihoods of the test texts
    that the model can spell. Raises ModelError when that is less than half of the test texts, or
    less than half of the model's samples can be spelled in the vocabulary of ``data``.
    """
    present = Language(data.tokenizer_file, data.spec.max_tokens)
    test = data.split("test")
    places, texts = shared_texts(test, own, present)
    if len(places) < LEAST * len(test):
        raise ModelError(
            f"it can spell {len(places):,} of {len(test):,} test texts, too few to judge it by"
        )
    shares = {
        variant: sample_share(model, variant, own, present, params.samples, seed)
        for variant in model.variants
    }
    share = min(shares.values())
    if share < LEAST:
        raise ModelError(
            f"of its samples {share:.0%} can be spelled in the present vocabulary, too few to "
            "judge it by"
        )
    given = {v: math.log(lower_end(share, params.samples)) for v, share in shares.items()}
    spoken = translated(model, own, present, given)
    readable = _Readable(data.folder, data.spec, data.meta, texts, own.file)
    found = suite.evaluate(
        spoken, evaluator, data, params, seed, device, free_bits, likelihoods_of=readable
    )
    assert found.items is not None
    sizes = token_counts(test)[places]
    items = Items("tokens", sizes, found.items.nats, places, len(test))
    common = OtherVocabulary(len(places), len(test), share)
    return replace(found, items=items, vocabulary=common)


def shared_texts(test: TextSplit, own: Language, present: Language) -> tuple[Ids, TextSplit]:
    """The test texts that both languages spell: their places, and the texts as ``own`` has them.

    Left out are also texts with unknown words kept in them, which stand for no one string, and the
    rare ones that are read as something else once they are written out.
    """
    tokens = [test[place] for place in range(len(test))]
    strings = present.write(tokens)
    again, theirs = present.spell(strings), own.spell(strings)
    kept = [
        (place, other)
        for place, (text, same, other) in enumerate(zip(tokens, again, theirs, strict=True))
        if other is not None and same is not None and np.array_equal(text, same)
    ]
    return np.array([place for place, _ in kept], np.int64), pack([text for _, text in kept])


def sample_share(
    model: GenerativeModel, variant: str, own: Language, present: Language, count: int, seed: int
) -> float:
    """The share of ``count`` samples of ``variant`` that ``present`` can spell."""
    drawn = suite.draw(model, count, derive_seed(seed, "spelled"), variant)
    texts = (drawn[i] for i in range(len(drawn)))
    spelled = [text for text in present.spell(own.write(texts)) if text is not None]
    return len(spelled) / count


def lower_end(share: float, count: int) -> float:
    """The lower end of Wilson's 95 % interval of a share of ``count`` draws."""
    square = _NORMAL**2 / count
    half = math.sqrt(share * (1 - share) * square + square**2 / 4)
    return (share + square / 2 - half) / (1 + square)


def translated(
    model: GenerativeModel, own: Language, present: Language, given: Mapping[str, float]
) -> GenerativeModel:
    """``model`` given what ``present`` spells.

    Its samples are of that vocabulary, its likelihood is of texts in its own tokens. ``given``: the
    log of the share of each sampler's samples that ``present`` spells.
    """
    kind = _Translated
    if isinstance(model, VariationalModel):
        kind = _TranslatedVae
    elif isinstance(model, TractableModel):
        kind = _TranslatedLanguageModel
    return kind(model, own, present, given)


@dataclass(frozen=True)
class _Readable(PreparedTexts):
    """The part of a test split that a model can read, in the model's own tokens."""

    texts: TextSplit
    spelled_by: Path

    @property
    def tokenizer_file(self) -> Path:
        return self.spelled_by

    def split(self, name: SplitName) -> TextSplit:
        assert name == "test"
        return self.texts


class _Translated(TextModel):
    """A model given S: its samples in the present vocabulary, its likelihood of its own tokens.

    ``given``: log P(S) of each sampler.
    """

    def __init__(
        self, model: GenerativeModel, own: Language, present: Language, given: Mapping[str, float]
    ) -> None:
        super().__init__()
        self.model, self.own, self.present, self.given = model, own, present, dict(given)
        self.variants = model.variants  # type: ignore[misc]  # of a family, here of one model

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
        strategy: Strategy = ANCESTRAL,
    ) -> Tensor:
        """As the model's own, of those that can be spelled; raises ModelError where few can."""
        kept: list[Ids] = []
        for _ in range(math.ceil(4 / LEAST)):
            rows = draw_samples(self.model, count, generator, variant, temperature, strategy)
            written = self.own.write(strip_marks(rows.cpu().numpy()))
            kept += [text for text in self.present.spell(written) if text is not None]
            if len(kept) >= count:
                return torch.tensor(pad_texts(kept[:count])[:, 1:])
        raise ModelError(
            f"too few of its samples can be spelled in the present vocabulary at temperature "
            f"{temperature:g}"
        )


class _TranslatedLanguageModel(_Translated):
    def log_probability(self, x: Tensor, variant: str | None = None) -> Tensor:
        assert isinstance(self.model, TractableModel)
        given = self.given[self.check_variant(variant)]
        return self.model.log_probability(x, variant) - given


class _TranslatedVae(_Translated, VariationalModel):
    @property
    def _vae(self) -> VariationalModel:
        assert isinstance(self.model, VariationalModel)
        return self.model

    @property
    def latent(self) -> int:  # type: ignore[override]
        return self._vae.latent

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._vae.posterior(x)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        given = self.given[_PRIOR if _PRIOR in self.variants else self.variants[0]]
        return self._vae.log_likelihood(x, z) - given
