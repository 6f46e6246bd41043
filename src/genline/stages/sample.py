"""``genline sample E -n N -o FILE``: samples of a trained model, a PNG grid or lines of text."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from genline.core.errors import GenlineError
from genline.data.prepared import ImageSpec
from genline.models.sampling import check_request, draw_images, draw_texts
from genline.reporting.samples import near_square, write_image_grid, write_texts


def run(
    experiment: str,
    count: int,
    output: str | None,
    seed: int,
    variant: str | None,
    temperature: float,
) -> None:
    """Images need an ``output``; texts go to standard output without one, or for '-'."""
    target = None if output in (None, "-") else Path(str(output))
    check_request("text", count, seed, variant, temperature)
    if target is not None:
        _check_writable(target)
    from genline.models.store import load_model

    stored = load_model(Path("models", experiment))
    check_request(stored.spec.kind, count, seed, variant, temperature)
    if isinstance(stored.spec, ImageSpec):
        if target is None:
            raise GenlineError(f"{experiment} draws images; say where to write them: -o FILE.png")
        images = draw_images(stored, count, seed, variant)
        write_image_grid(target, images, stored.spec.levels, near_square(count))
    else:
        texts = draw_texts(stored, count, seed, variant, temperature)
        if target is None:
            sys.stdout.writelines(f"{text}\n" for text in texts)
            return
        write_texts(target, texts)
    print(f"{count} samples of {experiment} in {target}")


def _check_writable(target: Path) -> None:
    """Refuse an output that cannot be written before the model is even loaded."""
    folder = target.parent
    if target.is_dir():
        raise GenlineError(f"{target}: is a folder; give -o the name of a file")
    if not folder.is_dir():
        raise GenlineError(f"{folder}: no such folder; make it first, or choose another -o")
    if not os.access(folder, os.W_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise GenlineError(f"{target}: cannot be written; choose another -o or give the right")
