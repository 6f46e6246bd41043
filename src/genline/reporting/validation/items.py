"""Single items of a dataset as the validation page shows them: which ones, and what they are."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genline.data.sources.items import ImageItem, Items, TextItem

OFFENDERS = {"image": 10, "text": 6}  # shown of one expectation
TYPICAL = {"image": 20, "text": 10}
_SIDE = 56  # pixels a small picture is enlarged to, at least
_LARGEST = 112  # pixels a large picture is reduced to
_LONGEST = 300  # characters of a text that are shown
_BEFORE = 80  # characters shown before one that is broken
_BROKEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


@dataclass(frozen=True)
class Shown:
    """An image as a ``data:`` address, or a text; the other is empty."""

    name: str
    label: str
    picture: str
    text: str


def typical(labels: Sequence[Hashable], count: int) -> list[int]:
    """Indices of about ``count`` items: as many of each label, evenly spaced through its items.

    Of more labels than ``count``, some, evenly spaced as well. Nothing is picked by its look.
    """
    groups: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        groups.setdefault(str(label), []).append(index)
    names = sorted(groups)
    each = max(1, -(-count // len(names))) if names else 0
    return [i for name in _spaced(names, count) for i in _spaced(groups[name], each)]


def offending(result: Mapping[str, Any]) -> list[str]:
    """Names of the items the page shows below the expectations that were not met."""
    return [
        str(found[name])
        for expectation in result["expectations"]
        if not expectation["success"]
        for found in (expectation["offending"] or [])[: OFFENDERS[result["kind"]]]
        for name in ("item", "same_as")
        if name in found
    ]


def collect(items: Items, wanted: Collection[str], levels: int) -> dict[str, Shown]:
    """Those of ``items`` whose names are ``wanted``; ``levels`` is of no account for texts."""
    names = set(wanted)
    found: dict[str, Shown] = {}
    for item in items:
        if item.name in names:
            found.setdefault(item.name, _show(item, levels))
            if len(found) == len(names):
                break
    return found


def _show(item: ImageItem | TextItem, levels: int) -> Shown:
    label = "" if item.label is None else str(item.label)
    if hasattr(item, "text"):
        return Shown(item.name, label, "", _cut(item.text))
    return Shown(item.name, label, _picture(item.pixels, levels), "")


def _cut(text: str) -> str:
    """The beginning of a long text, or what stands around its first broken character."""
    broken = _BROKEN.search(text)
    start = max(0, broken.start() - _BEFORE) if broken and broken.start() > 2 * _BEFORE else 0
    part = ("… " if start else "") + text[start : start + _LONGEST]
    if start + _LONGEST >= len(text):
        return part
    return f"{part} … ({len(text):,} characters in all)"


def _picture(pixels: Any, levels: int) -> str:
    """pixels: whole numbers (channels, height, width), whatever their number and range."""
    import numpy as np
    from PIL import Image

    grey = np.rint(np.clip(pixels, 0, levels - 1) * (255 / (levels - 1))).astype(np.uint8)
    layers = grey.transpose(1, 2, 0)
    picture = Image.fromarray(layers if layers.shape[2] == 3 else layers[:, :, 0])
    longest = max(picture.size)
    if longest > _LARGEST:
        picture.thumbnail((_LARGEST, _LARGEST))
    else:
        scale = max(1, -(-_SIDE // longest))
        size = (picture.width * scale, picture.height * scale)
        picture = picture.resize(size, Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=9)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _spaced(values: Sequence[Any], count: int) -> list[Any]:
    """At most ``count`` of ``values`` from evenly spaced places, each the middle of its stretch."""
    if len(values) <= count:
        return list(values)
    return [values[(2 * i + 1) * len(values) // (2 * count)] for i in range(count)]
