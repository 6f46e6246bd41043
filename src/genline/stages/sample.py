"""``genline sample E -n N -o FILE``: samples of a trained model, a PNG grid or lines of text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from genline.core.errors import GenlineError
from genline.data.prepared import ImageSpec
from genline.models.sampling import (
    check_request,
    draw_images,
    draw_texts,
    draw_traversal,
    make_strategy,
)
from genline.reporting.samples import near_square, write_image_grid, write_texts

_PNG = b"\x89PNG\r\n\x1a\n"


def run(
    experiment: str,
    count: int,
    output: str | None,
    seed: int,
    variant: str | None,
    temperature: float,
    labels: str | None = None,
    top_k: int = 0,
    top_p: float = 1.0,
    beams: int = 0,
    codes: str | None = None,
    traverse: int | None = None,
) -> None:
    """Images need an ``output``; texts go to standard output without one, or for '-'.

    labels: classes separated by commas, drawn in turn from a class-conditional model of images.
    codes: values of codes of an InfoGAN, as ``0=3,1=-0.5``; traverse: the code that takes each of
    its values in turn along the rows of the grid.
    """
    target = None if output in (None, "-") else _writable(str(output))
    strategy = make_strategy(top_k, top_p, beams)
    check_request("text", count, seed, variant, temperature, strategy)
    classes, fixed = _classes(labels), _codes(codes)
    from genline.models.store import load_model

    stored = load_model(Path("models", experiment))
    check_request(stored.spec.kind, count, seed, variant, temperature, strategy)
    if isinstance(stored.spec, ImageSpec):
        if target is None:
            raise GenlineError(f"{experiment} draws images; say where to write them: -o FILE.png")
        _check_picture(target)
        if traverse is None:
            images = draw_images(stored, count, seed, variant, classes, fixed)
            columns = near_square(count)
        else:
            rows = draw_traversal(stored, count, seed, traverse, variant, classes, fixed)
            images, columns = rows.reshape(-1, *rows.shape[2:]), rows.shape[1]
        write_image_grid(target, images, stored.spec.levels, columns)
    else:
        if classes:
            raise GenlineError(f"{experiment} draws texts, which have no labels; leave them out")
        if fixed or traverse is not None:
            raise GenlineError(f"{experiment} draws texts, which have no codes; leave them out")
        if target is not None:
            _check_text(target)
        texts = draw_texts(stored, count, seed, variant, temperature, strategy)
        if target is None:
            _print(texts)
            return
        write_texts(target, texts)
    print(f"{count} samples of {experiment} in {target}")


def _classes(labels: str | None) -> list[int]:
    if labels is None:
        return []
    try:
        return [int(label) for label in labels.split(",")]
    except ValueError:
        raise GenlineError(
            f"labels are {labels!r}; use whole numbers separated by commas, such as 0,1,2"
        ) from None


def _codes(codes: str | None) -> dict[int, float]:
    if codes is None:
        return {}
    try:
        pairs = [pair.split("=") for pair in codes.split(",")]
        return {int(code): float(value) for code, value in pairs}
    except ValueError:
        raise GenlineError(
            f"codes are {codes!r}; use numbers of codes and their values, such as 0=3,1=-0.5"
        ) from None


def _print(texts: Iterable[str]) -> None:
    if sys.stdout is None:
        raise GenlineError("standard output is closed; say where to write the texts: -o FILE.txt")
    sys.stdout.writelines(f"{text}\n" for text in texts)


def _writable(output: str) -> Path:
    """``output``, refused before the model is even loaded where nothing can be written."""
    if not output:
        raise GenlineError("-o is empty; give it the name of a file")
    target = Path(output)
    folder = target.parent
    if target.is_dir():
        raise GenlineError(f"{target}: is a folder; give -o the name of a file")
    if not folder.is_dir():
        raise GenlineError(f"{folder}: no such folder; make it first, or choose another -o")
    if not os.access(folder, os.W_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise GenlineError(f"{target}: cannot be written; choose another -o or give the right")
    return target


def _check_picture(target: Path) -> None:
    if _takes_anything(target):
        return
    if target.suffix.lower() != ".png":
        raise GenlineError(f"{target}: images are written as PNG; give -o a name that ends in .png")
    if target.exists() and not _starts_as_png(target):
        raise GenlineError(f"{target}: is there and is no PNG; choose another -o or remove it")


def _check_text(target: Path) -> None:
    if _takes_anything(target):
        return
    if target.suffix.lower() == ".png":
        raise GenlineError(f"{target}: texts are no PNG; give -o a name that ends in .txt")
    if target.exists() and target.suffix.lower() != ".txt":
        raise GenlineError(f"{target}: is there; texts replace a file ending in .txt alone")


def _takes_anything(target: Path) -> bool:
    """A device or a named pipe, whatever it is called."""
    return target.exists() and not target.is_file()


def _starts_as_png(file: Path) -> bool:
    with file.open("rb") as stream:
        start = stream.read(len(_PNG))
    return start in (_PNG, b"")
