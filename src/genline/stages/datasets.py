"""``genline datasets``: the data sets known by name, and which are on this machine."""

from __future__ import annotations

from genline.core.errors import DataError
from genline.data.sources.catalogue.cache import cache_folder, is_here, mirrors
from genline.data.sources.catalogue.manifest import FOLDER, read_manifest

# Those that ship with the packages of the project itself.
_SHIPPED = [
    ("digits", "image", "1,797", "-", "here", "CC BY 4.0"),
    ("docstrings", "text", "~40,000", "-", "here", "PSF-2.0, BSD-3-Clause"),
]
_HEADER = ("name", "kind", "items", "size", "files", "licence")


def run() -> None:
    """Print one line a data set. Raises DataError outside the project's top folder."""
    if not FOLDER.is_dir():
        raise DataError(f"{FOLDER}: no such folder; run in the project's top folder")
    rows = [_HEADER, *_SHIPPED]
    for path in sorted(FOLDER.glob("*.yaml")):
        manifest = read_manifest(path)
        here = "here" if is_here(path.stem, manifest) else "to fetch"
        size = f"{manifest.size / 1e6:.1f} MB"
        rows.append((path.stem, manifest.kind, f"{manifest.items:,}", size, here, manifest.licence))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]))
    print(f"Fetched files are kept in {cache_folder()} (GENLINE_CACHE).")
    print(f"Looked in first (GENLINE_MIRROR): {', '.join(mirrors(None)) or 'nothing set'}.")
    print("Use one: genline init --from <name>")
