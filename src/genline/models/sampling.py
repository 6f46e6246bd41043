"""Samples as a caller wants them, grey levels or readable texts, from a stored model and a seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from genline.core.errors import GenlineError
from genline.core.seeds import derive_seed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from genline.models.store import StoredModel

MOST = 10_000  # samples one request may ask for
# Below, the logits divided by it leave the range of 32-bit floats; above, words are even.
COLDEST, HOTTEST = 0.01, 100.0
_CHUNK = 500  # samples drawn at once, so that memory stays flat


class RequestError(GenlineError):
    """What was asked of a model is out of range: the message names it and the range."""


def draw_images(
    stored: StoredModel, count: int, seed: int, variant: str | None = None
) -> npt.NDArray[np.uint8]:
    """``count`` images, uint8 (count, channels, height, width) grey levels."""
    import numpy as np

    return np.concatenate(list(_draw(stored, count, seed, variant, 1.0)))


def draw_texts(
    stored: StoredModel, count: int, seed: int, variant: str | None = None, temperature: float = 1.0
) -> list[str]:
    """``count`` readable texts."""
    from genline.data.prepared import strip_marks
    from genline.data.tokenizer import TextTokenizer
    from genline.models.store import TOKENIZER

    tokenizer = TextTokenizer.load(stored.folder / TOKENIZER)
    chunks = _draw(stored, count, seed, variant, temperature)
    return [tokenizer.decode(text) for chunk in chunks for text in strip_marks(chunk)]


def check_request(
    kind: str, count: int, seed: int, variant: str | None, temperature: float
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
    if variant == "":
        raise RequestError("variant is empty; leave it out for the model's own")


def _draw(
    stored: StoredModel, count: int, seed: int, variant: str | None, temperature: float
) -> Iterator[npt.NDArray[Any]]:
    import torch

    generator = torch.Generator().manual_seed(derive_seed(seed, "sample"))
    for start in range(0, count, _CHUNK):
        some = stored.model.sample(min(_CHUNK, count - start), generator, variant, temperature)
        yield some.cpu().numpy()
