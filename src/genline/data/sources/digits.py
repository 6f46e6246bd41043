"""The digits that ship with scikit-learn: 1,797 images of 8×8 pixels in 17 grey levels.

Each row of the file holds 64 grey levels, row by row, and the digit they show.
"""

from __future__ import annotations

import csv
import gzip
import importlib.metadata
import importlib.util
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from genline.core.errors import DataError
from genline.core.files import digest_bytes, require_regular, write_bytes
from genline.data.engines.ordered import Engine
from genline.data.sources.config import Digits
from genline.data.sources.items import ImageItem

FILE = "digits.csv.gz"
HEIGHT = WIDTH = 8
LEVELS, CLASSES = 17, 10


def fetch(section: Digits, folder: Path, engine: Engine) -> dict[str, Any]:
    """Copy the file out of the installed scikit-learn, byte for byte; return its record."""
    spec = importlib.util.find_spec("sklearn")
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise DataError("scikit-learn is not installed; install the packages of requirements.lock")
    source = Path(places[0]) / "datasets" / "data" / FILE
    try:
        content = source.read_bytes()
    except OSError as error:
        raise DataError(
            f"sklearn/datasets/data/{FILE}: cannot be read ({error.strerror}); "
            "install scikit-learn again"
        ) from None
    write_bytes(folder / FILE, content)
    return {
        "versions": {"scikit-learn": importlib.metadata.version("scikit-learn")},
        "sha256": digest_bytes(content),
        "levels": LEVELS,
        "classes": CLASSES,
        "licence": "CC BY 4.0 (UCI Machine Learning Repository), file shipped under BSD-3-Clause",
        "description": "Optical recognition of handwritten digits, E. Alpaydin and C. Kaynak, "
        "UCI Machine Learning Repository: 8×8 counts of ink, 0 to 16, written by 13 people",
    }


def items(folder: Path) -> Iterator[ImageItem]:
    """The images in file order.

    Raises DataError naming the file, the row, what was found and what is wanted when the file is
    missing, empty, truncated, or holds a row of another length or anything but whole numbers.
    """
    path = folder / FILE
    rows = csv.reader(io.StringIO(_text(path), newline=""))
    count = 0
    try:
        for count, row in enumerate(rows, start=1):
            yield _item(path, count, row)
    except csv.Error as error:
        raise DataError(f"{path}, row {count + 1}: not CSV ({error}); download it again") from None
    if not count:
        raise DataError(f"{path}: holds no rows; download it again")


def _text(path: Path) -> str:
    try:
        require_regular(path)
        return gzip.decompress(path.read_bytes()).decode("ascii")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run the download stage again") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: not a whole gzip file ({error}); download it again") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start} after unpacking is not ASCII; wanted numbers and commas"
        ) from None


def _item(path: Path, number: int, row: list[str]) -> ImageItem:
    wanted = HEIGHT * WIDTH + 1
    if len(row) != wanted:
        raise DataError(
            f"{path}, row {number}: found {len(row)} columns, wanted {wanted} "
            f"({HEIGHT}×{WIDTH} grey levels and the digit)"
        )
    values = [_whole(path, number, column, cell) for column, cell in enumerate(row, start=1)]
    pixels = np.array(values[:-1], np.int64).reshape(1, HEIGHT, WIDTH)
    return ImageItem(f"{path.name} row {number}", pixels, values[-1])


def _whole(path: Path, number: int, column: int, cell: str) -> int:
    try:
        value = float(cell)
        if not value.is_integer() or abs(value) > 2**31:
            raise ValueError
    except ValueError:
        raise DataError(
            f"{path}, row {number}, column {column}: found '{cell[:40]}', wanted a whole number"
        ) from None
    return int(value)
