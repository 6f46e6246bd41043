"""Samples as a caller wants them, grey levels or readable texts, from a stored model and a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from genline.core.errors import GenlineError
from genline.core.seeds import derive_seed
from genline.core.wording import wanted
from genline.models.networks.strategy import ANCESTRAL, Strategy

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from genline.models.base import Coded
    from genline.models.store import StoredModel

MOST = 10_000  # samples one request may ask for
# Below, the logits divided by it leave the range of 32-bit floats; above, words are even.
COLDEST, HOTTEST = 0.01, 100.0
_CHUNK = 500  # samples drawn at once, so that memory stays flat


class RequestError(GenlineError):
    """What was asked of a model is out of range: the message names it and the range."""


def draw_images(
    stored: StoredModel,
    count: int,
    seed: int,
    variant: str | None = None,
    labels: Sequence[int] = (),
    codes: Mapping[int, float] | None = None,
) -> npt.NDArray[np.uint8]:
    """``count`` images, uint8 (count, channels, height, width) grey levels.

    labels: the classes to draw, in turn, of a class-conditional model; none draws them as often
    as the training data have them. codes: values of an InfoGAN's codes by their number; the others
    are drawn. Raises RequestError or ModelError for those that the model does not know.
    """
    import numpy as np

    if labels:
        _check_labels(stored, labels)
    if codes:
        _check_coded(stored)
    drawn = _draw(stored, count, seed, variant, labels=labels, codes=codes)
    return np.concatenate(list(drawn))


def draw_traversal(
    stored: StoredModel,
    count: int,
    seed: int,
    code: int,
    variant: str | None = None,
    labels: Sequence[int] = (),
    codes: Mapping[int, float] | None = None,
) -> npt.NDArray[np.uint8]:
    """``count`` images, each with every value of ``code``: uint8 (count, values, channels, h, w).

    Along the second axis nothing but the code changes: Chen et al. 2016, figure 2.
    """
    import numpy as np

    values = _check_coded(stored).code_values(code)
    if count * len(values) > MOST:
        raise RequestError(
            f"{count} images with {len(values)} values of code {code} asked for; ask for "
            f"{MOST // len(values)} images or fewer"
        )
    drawn = [
        draw_images(stored, count, seed, variant, labels, {**(codes or {}), code: value})
        for value in values
    ]
    return np.stack(drawn, 1)


def draw_texts(
    stored: StoredModel,
    count: int,
    seed: int,
    variant: str | None = None,
    temperature: float = 1.0,
    strategy: Strategy = ANCESTRAL,
) -> list[str]:
    """``count`` readable texts, drawn or searched for by ``strategy``."""
    from genline.data.prepared import strip_marks
    from genline.data.tokenizer import TextTokenizer
    from genline.models.store import TOKENIZER

    tokenizer = TextTokenizer.load(stored.folder / TOKENIZER)
    chunks = _draw(stored, count, seed, variant, temperature, strategy)
    return [tokenizer.decode(text) for chunk in chunks for text in strip_marks(chunk)]


def make_strategy(top_k: int, top_p: float, beams: int) -> Strategy:
    """Raises RequestError for values out of range, or that do not go together."""
    try:
        return Strategy(top_k=top_k, top_p=top_p, beams=beams)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            raise RequestError(first["msg"].removeprefix("Value error, ")) from None
        name = str(first["loc"][0])
        field = Strategy.model_fields[name]
        right = wanted(field.annotation, field.metadata)
        raise RequestError(f"{name} is {first['input']}; wanted: {right}") from None


def check_request(
    kind: str,
    count: int,
    seed: int,
    variant: str | None,
    temperature: float,
    strategy: Strategy = ANCESTRAL,
) -> None:
    """Raises RequestError for what no model of that kind ("image" or "text") can be asked."""
    if not 1 <= count <= MOST:
        raise RequestError(f"{count} samples asked for; ask for 1 to {MOST}")
    if not 0 <= seed < 2**63:
        raise RequestError(f"seed is {seed}; use an integer from 0 to 2^63 - 1")
    if kind == "image" and temperature != 1:
        raise RequestError(f"temperature is {temperature:g}; it is for texts, leave it out here")
    if not COLDEST <= temperature <= HOTTEST:
        raise RequestError(
            f"temperature is {temperature:g}; use a number from {COLDEST:g} to {HOTTEST:g}"
        )
    if kind == "image" and strategy != ANCESTRAL:
        raise RequestError("top-k, top-p and beams are for texts; leave them out here")
    if strategy.beams and temperature != 1:
        raise RequestError(
            f"temperature is {temperature:g} but a search by beams draws nothing; leave out one"
        )
    if variant == "":
        raise RequestError("variant is empty; leave it out for the model's own")


def _check_labels(stored: StoredModel, labels: Sequence[int]) -> None:
    from genline.models.base import ClassConditional

    model = stored.model
    if not isinstance(model, ClassConditional) or not model.classes:
        raise RequestError(
            "labels are given, but the model was trained without them; leave them out, or train "
            "one with model.conditional: true"
        )
    unknown = [label for label in labels if not 0 <= label < model.classes]
    if unknown:
        raise RequestError(f"label {unknown[0]} is unknown; use 0 to {model.classes - 1}")


def _check_coded(stored: StoredModel) -> Coded:
    from genline.models.base import Coded

    if not isinstance(stored.model, Coded):
        raise RequestError(
            "codes are given, but the model has none; leave them out, or train a GAN of images "
            "with objective: infogan"
        )
    return stored.model


def _draw(
    stored: StoredModel,
    count: int,
    seed: int,
    variant: str | None,
    temperature: float = 1.0,
    strategy: Strategy = ANCESTRAL,
    labels: Sequence[int] = (),
    codes: Mapping[int, float] | None = None,
) -> Iterator[npt.NDArray[Any]]:
    import torch

    from genline.models.base import draw_samples

    generator = torch.Generator().manual_seed(derive_seed(seed, "sample"))
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        asked: dict[str, Any] = {}  # of those models alone that know labels, or codes
        if labels:
            told = [labels[i % len(labels)] for i in range(start, start + size)]
            asked["labels"] = torch.tensor(told)
        if codes:
            asked["fixed"] = codes
        if asked:
            some = stored.model.sample(size, generator, variant, temperature, **asked)
        else:
            some = draw_samples(stored.model, size, generator, variant, temperature, strategy)
        yield some.cpu().numpy()
