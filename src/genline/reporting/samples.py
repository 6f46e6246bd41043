"""Sample grids and sample lists: the files a reader looks at, and the report shows."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from genline.core.files import write_bytes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CELL = 64  # pixels: a smaller image is upscaled to at least this, so that its pixels are seen
_GAP_LEVEL = 96  # of 255: neither the black nor the white that images mostly end in
_LINE_BREAKS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def write_image_grid(
    path: Path | str,
    images: npt.NDArray[np.uint8],
    levels: int,
    columns: int = 10,
    scale: int | None = None,
) -> None:
    """Write images, row by row, as one PNG whose bytes depend on the arguments alone.

    images: uint8 (n, channels, height, width), grey levels in [0, levels), channels 1 or 3.
    Each pixel becomes ``scale`` × ``scale`` equal ones (None: enough for a cell of 64 pixels).
    The levels map to 0..255 by a fixed range, never by the images' own. Cells missing from the
    last row have the colour of the gaps. Raises ValueError for another shape, type or range.
    """
    import numpy as np
    from PIL import Image

    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"found {images.dtype} {images.shape}, wanted uint8 (n, 1 or 3, h, w)")
    if not len(images):
        raise ValueError("no images to show; give at least one")
    if levels < 2 or int(images.max()) >= levels:
        raise ValueError(f"grey level {images.max()} found, wanted 0..levels-1 with {levels=}")
    count, channels, height, width = images.shape
    scale = scale if scale is not None else _scale(height, width)
    if scale < 1 or columns < 1:
        raise ValueError(f"{scale=} and {columns=} must be at least 1")
    columns = min(columns, count)
    rows = -(-count // columns)
    gap = _gap(scale)

    cell_h, cell_w = height * scale, width * scale
    canvas = np.full(
        (rows * (cell_h + gap) + gap, columns * (cell_w + gap) + gap, channels),
        _GAP_LEVEL,
        np.uint8,
    )
    grey = np.rint(images.astype(np.float64) * (255 / (levels - 1))).astype(np.uint8)
    cells = grey.transpose(0, 2, 3, 1).repeat(scale, axis=1).repeat(scale, axis=2)
    for index, cell in enumerate(cells):
        top = gap + (index // columns) * (cell_h + gap)
        left = gap + (index % columns) * (cell_w + gap)
        canvas[top : top + cell_h, left : left + cell_w] = cell

    buffer = io.BytesIO()
    picture = Image.fromarray(canvas[:, :, 0] if channels == 1 else canvas)
    picture.save(buffer, format="PNG", compress_level=9)
    write_bytes(path, buffer.getvalue())


def near_square(count: int) -> int:
    """Columns for ``count`` images: all rows full where a grid of up to 3:1 allows it."""
    least = math.isqrt(count - 1) + 1
    full = (n for n in range(least, count + 1) if count % n == 0 and n * n <= 3 * count)
    return next(full, least)


def cut_grid(path: Path | str, height: int, width: int, across: int, rows: int) -> bytes:
    """The upper left of a grid of images height × width, as a PNG at most ``across`` pixels wide.

    As many whole columns as fit, at least one, and at most ``rows`` rows, pixel for pixel. The
    grid is one that :func:`write_image_grid` wrote at its own scale.
    """
    from PIL import Image

    scale = _scale(height, width)
    gap = _gap(scale)
    cell_w, cell_h = width * scale + gap, height * scale + gap
    with Image.open(path) as grid:
        columns = max(1, min(across, grid.width) - gap) // cell_w or 1
        down = min(rows, (grid.height - gap) // cell_h)
        piece = grid.crop((0, 0, columns * cell_w + gap, down * cell_h + gap))
    buffer = io.BytesIO()
    piece.save(buffer, format="PNG", compress_level=9)
    return buffer.getvalue()


def _scale(height: int, width: int) -> int:
    return max(1, -(-CELL // max(height, width)))


def _gap(scale: int) -> int:
    # Half a pixel of the image: nearer, neighbours run into each other.
    return max(2, scale // 2)


def write_texts(path: Path | str, lines: Iterable[str]) -> None:
    """Write one text a line, UTF-8; a line break inside a text becomes its escape, as ``\\n``."""
    content = "".join(f"{_one_line(line)}\n" for line in lines)
    # A lone surrogate has no UTF-8 form; its escape is shown instead.
    write_bytes(path, content.encode("utf-8", "backslashreplace"))


def read_texts(path: Path | str) -> list[str]:
    """The lines of a file that :func:`write_texts` wrote, line breaks still escaped."""
    return Path(path).read_text(encoding="utf-8").split("\n")[:-1]


def _one_line(text: str) -> str:
    return _LINE_BREAKS.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
