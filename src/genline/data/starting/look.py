"""What kind of source some files are, told by their names and their first items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from genline.core.errors import DataError, nearest
from genline.core.files import require_regular
from genline.data.sources.catalogue.manifest import FOLDER, read_manifest
from genline.data.sources.files.archives import is_archive, members
from genline.data.sources.files.arrays import array_names, describe
from genline.data.sources.files.compressed import plain_name, unpack
from genline.data.sources.files.pictures import SUFFIXES, glance
from genline.data.sources.own.image_folder import is_picture
from genline.data.sources.own.places import is_split, split_name
from genline.data.sources.own.texts import is_text
from genline.data.starting.look_at_texts import (
    LONGEST,
    TABLES,
    Source,
    encoding_of,
    table,
    text_file,
)

SHIPPED = ("digits", "docstrings")  # read from the project's own packages, by no manifest
_SAMPLE = 500  # pictures opened to tell what they are
_LARGEST_SIDE = 64  # pixels: networks that train in minutes see no more


@dataclass(frozen=True)
class Found:
    """``kind``: image or text; ``told``: a clause on what was decided for pictures, or ''."""

    kind: str
    source: Source
    told: str = ""


def look(origin: str) -> Found:
    """The kind and the source section of what lies at ``origin``.

    ``origin`` is a path, or the name of a data set. Raises DataError where nothing known is
    found, saying what was.
    """
    path = Path(origin)
    if not path.exists():
        manifest = FOLDER / f"{origin}.yaml"
        if origin in SHIPPED:
            raise DataError(
                f"{origin}: ships with the project, whose own params.yaml has an entry for it "
                f"(datasets.{origin}); use or copy that one"
            )
        if not manifest.is_file():
            known = [*SHIPPED, *(p.stem for p in FOLDER.glob("*.yaml"))]
            raise DataError(
                f"{origin}: no such file or folder, and no data set by this name; "
                f"{nearest(origin, known)}"
            )
        kind = read_manifest(manifest).kind
        return Found(kind, {"name": origin, "path": manifest.as_posix()})
    if path.is_dir() or is_archive(path):
        return _folder(path)
    require_regular(path)
    if "idx" in path.name and path.name.count("ubyte"):
        raise DataError(f"{path}: is one IDX file; give the folder that holds images and labels")
    suffix = PurePosixPath(plain_name(path)).suffix.lower()
    if suffix in (".npz", ".npy"):
        return Found("image", _array(path))
    if suffix in TABLES:
        return Found("text", table(path, TABLES[suffix]))
    if is_picture(path.name):
        raise DataError(f"{path}: is one picture; give the folder that holds them all")
    return Found("text", text_file(path))


def _folder(path: Path) -> Found:
    names = [member.name for member in members(path)]
    found = Counter(_form(name) for name in names)
    pictures = [name for name in names if is_picture(name)]
    texts = [name for name in names if is_text(name)]
    if pictures and len(pictures) >= len(texts):
        return _image_folder(path, pictures)
    idx = any("idx3" in name for name in names)
    if (idx or found[".npy"]) and not path.is_dir():
        raise DataError(
            f"{path}: holds IDX or .npy files, which are read out of folders; unpack it"
        )
    if idx:
        return Found("image", _idx(path, names))
    if found[".npy"]:
        return Found("image", _array(path))
    if texts:
        section = {
            "name": "text_folder",
            "path": path.as_posix(),
            "folders": _levels(path, texts),
            "encoding": _encoding(path),
            "longest": LONGEST,
            "on_bad_item": "stop",
        }
        return Found("text", section)
    held = ", ".join(
        f"{count} {form or 'without a suffix'}" for form, count in found.most_common(5)
    )
    raise DataError(
        f"{path}: holds no pictures ({' '.join(SUFFIXES)}), texts (.txt), IDX or .npy files, but "
        f"{held or 'nothing'}"
    )


def _encoding(path: Path) -> str:
    """That of the first text, whose name stands in the error where it is none."""
    first = next(members(path, is_text))
    return encoding_of(unpack(first.read(), first.name), first.name)


def _form(name: str) -> str:
    return PurePosixPath(plain_name(name)).suffix.lower()


def _levels(path: Path, names: list[str]) -> list[str]:
    """What the folders above the files mean. Raises DataError where files stand unevenly deep."""
    depths = {len(PurePosixPath(name).parts) - 1 for name in names}
    if len(depths) > 1:
        low = min(names, key=lambda name: len(PurePosixPath(name).parts))
        deep = max(names, key=lambda name: len(PurePosixPath(name).parts))
        raise DataError(
            f"{path}: '{low}' and '{deep}' stand in another number of folders each; give every "
            "class a folder, or put all files into one"
        )
    (depth,) = depths
    outer = {PurePosixPath(name).parts[0] for name in names}
    splits = depth > 0 and all(is_split(word) for word in outer)
    if depth - splits > 1:
        raise DataError(
            f"{path}: files stand {depth} folders deep; wanted <class>/<file> or "
            "<train|valid|test>/<class>/<file>"
        )
    if len({PurePosixPath(name).parts[depth - 1] for name in names}) == 1 and depth > splits:
        # One class is none: what cannot differ is no label.
        if splits:
            raise DataError(f"{path}: has one class in each split; wanted two or more, or none")
        return []
    return ["split"] * splits + ["label"] * (depth - splits)


def _image_folder(path: Path, names: list[str]) -> Found:
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    # Spread over all of them: the first of a folder are of one class.
    chosen = set(names[:: max(1, len(names) // _SAMPLE)])
    for member in members(path, chosen.__contains__):
        if seen := glance(member.read()):
            size, without_colour = seen
            sizes[size] += 1
            grey = grey and without_colour
    if not sizes:
        raise DataError(f"{path}: none of the pictures that were tried can be opened")
    (height, width), _ = sizes.most_common(1)[0]
    even = len(sizes) == 1 and max(height, width) <= _LARGEST_SIDE
    if not even:
        side = min(_LARGEST_SIDE, max(8, 8 * round(min(height, width) / 8)))
        height = width = min(side, 32)
    section = {
        "name": "image_folder",
        "path": path.as_posix(),
        "folders": _levels(path, names),
        "channels": 1 if grey else 3,
        "height": height,
        "width": width,
        "fit": "exact" if even else "crop",
        "background": 255,
        "on_bad_item": "stop",
    }
    return Found("image", section, "" if even else _told(sizes, height, width))


def _told(sizes: Iterable[tuple[int, int]], height: int, width: int) -> str:
    heights, widths = ({size[side] for size in sizes} for side in (0, 1))
    least, most = f"{min(heights)}×{min(widths)}", f"{max(heights)}×{max(widths)}"
    found = f"size {least}" if least == most else f"sizes {least} to {most}"
    return (
        f"{found}, scaled and cropped to {height}×{width} (source.height, source.width, source.fit)"
    )


def _idx(path: Path, names: list[str]) -> Source:
    parts = []
    for name in names:
        if "idx3" not in name:
            continue
        labels = name.replace("images", "labels").replace("idx3", "idx1")
        parts.append(_part(name, labels if labels in names else None))
    return {"name": "idx", "path": path.as_posix(), "parts": _alike(parts)}


def _part(images: str, labels: str | None) -> Source:
    words = PurePosixPath(images).stem.replace("_", "-").replace(".", "-").split("-")
    words = ["test" if word == "t10k" else word for word in words]
    split = next((split_name(word, images) for word in words if is_split(word)), None)
    part = {"images": images, "labels": labels, "split": split}
    return {name: value for name, value in part.items() if value is not None}


def _alike(parts: list[Source]) -> list[Source]:
    """Without the labels or splits that only some of them have."""
    for name in ("labels", "split"):
        if not all(name in part for part in parts):
            parts = [{k: v for k, v in part.items() if k != name} for part in parts]
    return parts


def _array(path: Path) -> Source:
    found = {name: describe(path, name) for name in array_names(path)}
    shapes = {name: (array.shape, array.dtype.kind) for name, array in found.items()}
    images = {name: shape for name, (shape, _) in shapes.items() if len(shape) in (3, 4)}
    if not images:
        raise DataError(f"{path}: no array of images (3 or 4 dimensions) among {sorted(shapes)}")
    first = next(iter(images.values()))
    axes = "nhw" if len(first) == 3 else "nchw" if first[1] in (1, 3) else "nhwc"
    parts = []
    for name, shape in images.items():
        same = [n for n, (s, _) in shapes.items() if s == shape[:1] and _related(name, n)]
        parts.append(_part(name, same[0] if same else None))
    floats = any(shapes[name][1] == "f" for name in images)
    values = "unit" if floats else "levels"
    return {
        "name": "array",
        "path": path.as_posix(),
        "axes": axes,
        "values": values,
        "parts": _alike(parts),
    }


def _related(images: str, labels: str) -> bool:
    """Whether both are of one split by their names: x_train and y_train."""
    split = [
        {w for w in name.lower().replace("-", "_").replace(".", "_").split("_") if is_split(w)}
        for name in (images, labels)
    ]
    return split[0] == split[1]
