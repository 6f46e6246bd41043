"""Pictures of known pixels, and the one line that a broken file must give."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genline.core.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6), np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)


def picture(array: np.ndarray | Image.Image, form: str = "PNG", **options: Any) -> bytes:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)
