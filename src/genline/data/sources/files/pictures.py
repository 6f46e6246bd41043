"""Pictures of any common kind as arrays of one shape.

PNG, JPEG, WebP, BMP and the first frame of a GIF; turned as their EXIF orientation says; grey,
RGB, CMYK, palette, transparent (laid on a background) and 16-bit ones.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
# Decoding allocates 4 bytes a pixel or more, whatever the size of the file.
LARGEST_PIXELS = 50_000_000
_TOO_LARGE = "more than 50 million pixels; make it smaller"

Fit = Literal["exact", "resize", "crop", "pad"]


@dataclass(frozen=True)
class Form:
    """What every picture becomes.

    ``fit`` says how another size becomes ``height`` × ``width``: exact refuses it; resize scales
    both sides on their own; crop scales until both sides fill the frame and keeps the middle; pad
    scales until both fit and fills the rest with ``background``, a grey level.
    """

    channels: int
    height: int
    width: int
    fit: Fit
    background: int


@dataclass(frozen=True)
class Picture:
    """pixels: uint8 (channels, height, width); size: height and width in the file."""

    pixels: npt.NDArray[np.uint8]
    size: tuple[int, int]


def decode(content: bytes, form: Form, name: str) -> Picture:
    """The picture in ``content``. Raises DataError where there is none, or one too large."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with _opened(content) as image:
            width, height = image.size
            if width * height > LARGEST_PIXELS:
                raise DataError(f"{name}: {_TOO_LARGE}")
            upright = ImageOps.exif_transpose(image)
            size = (upright.height, upright.width)
            fitted = _fit(_flatten(upright, form), form, name)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(
            f"{name}: not a PNG, JPEG, WebP, BMP or GIF picture "
            f"(begins with {content[:8].hex(' ') or 'nothing'})"
        ) from None
    except Image.DecompressionBombError:
        raise DataError(f"{name}: {_TOO_LARGE}") from None
    # Whatever a damaged picture leads its decoder to raise.
    except Exception as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise DataError(f"{name}: damaged or cut short ({reason})") from None
    pixels = np.asarray(fitted, np.uint8)
    return Picture(pixels[None] if form.channels == 1 else pixels.transpose(2, 0, 1), size)


def glance(content: bytes) -> tuple[tuple[int, int], bool] | None:
    """Height and width, and whether it is grey, without decoding; None of what cannot be opened."""
    try:
        with _opened(content) as image:
            return (image.height, image.width), image.mode in _GREY
    except Exception:  # decoding tells of it by name
        return None


@contextmanager
def _opened(content: bytes) -> Iterator[Any]:
    """The picture, whose decoder keeps to itself what it finds odd."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            yield image


def _flatten(image: Any, form: Form) -> Any:
    """As L or RGB, with nothing transparent left."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # 16 bits, whichever way Pillow holds them
        levels = np.asarray(image.convert("I"), np.int64)
        image = Image.fromarray(((levels.clip(0, 65535) + 128) // 257).astype(np.uint8), "L")
    elif "transparency" in image.info or image.mode in ("LA", "PA", "RGBA", "La", "RGBa"):
        opaque = image.convert("RGBA")
        grey = (form.background,) * 3 + (255,)
        image = Image.alpha_composite(Image.new("RGBA", opaque.size, grey), opaque)
        image = image.convert("RGB")
    return image.convert("L" if form.channels == 1 else "RGB")


def _fit(image: Any, form: Form, name: str) -> Any:
    from PIL import Image, ImageOps

    size = (form.width, form.height)
    if image.size == size:
        return image
    if form.fit == "exact":
        raise DataError(
            f"{name}: {image.height}×{image.width} pixels, wanted {form.height}×{form.width}; "
            "set fit to resize, crop or pad"
        )
    method = Image.Resampling.BICUBIC
    if form.fit == "resize":
        return image.resize(size, method)
    if form.fit == "crop":
        return ImageOps.fit(image, size, method)
    grey = form.background if form.channels == 1 else (form.background,) * 3
    return ImageOps.pad(image, size, method, color=grey)
