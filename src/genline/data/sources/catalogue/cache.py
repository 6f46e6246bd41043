"""The files of a data set, checked: from the cache, from the user's mirror, or by download.

The cache lies outside the project, so that no pipeline deletes it: ``GENLINE_CACHE``, or
``genline`` in the user's cache folder. A mirror is a folder or an address under which each data
set has a folder with its canonical files: ``GENLINE_MIRROR``, or ``mirror`` of the source.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from genline.core.errors import DataError
from genline.data.sources.catalogue.manifest import Checked, File, Manifest
from genline.data.sources.catalogue.transfer import TransferError, fetch


def cache_folder() -> Path:
    """Where downloaded files are kept."""
    if own := os.environ.get("GENLINE_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genline"


def mirrors(setting: str | None) -> list[str]:
    """The user's mirrors in the order they are tried."""
    found = [os.environ.get("GENLINE_MIRROR"), setting]
    return list(dict.fromkeys(mirror for mirror in found if mirror))


def obtain(name: str, manifest: Manifest, file: File, setting: str | None = None) -> Path:
    """A path to ``file`` of data set ``name``, with its checksum verified.

    Raises DataError naming every place that was tried, and what each said.
    """
    said: list[str] = []
    folder = cache_folder() / name
    for place in _on_disk(name, manifest, setting):
        there = [form for form in (file, *file.instead) if (place / form.name).is_file()]
        for form in there:
            trouble = mismatch(place / form.name, form)
            if not trouble:
                return place / form.name
            said.append(f"{place / form.name}: {trouble}")
        if not there and place != folder:
            said.append(f"{place}: has no {file.name}")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{file.name}.lock"):
        target = folder / file.name
        if target.is_file() and not mismatch(target, file):
            return target  # another process was faster
        for address, form in _addresses(name, manifest, file, setting):
            trouble = _download(address, form, folder, f"{name}: {form.name}")
            if not trouble:
                return folder / form.name
            said.append(f"{address}: {trouble}")
    raise DataError(
        f"{file.name} of '{name}' was not to be had ({'; '.join(said)}); put it into "
        f"{folder}, or set GENLINE_MIRROR to a folder or address that has {name}/{file.name}"
    )


def is_here(name: str, manifest: Manifest, setting: str | None = None) -> bool:
    """Whether every file lies on this machine in its right size; checksums are not computed."""
    return all(
        any(
            (place / form.name).is_file() and (place / form.name).stat().st_size == form.size
            for place in _on_disk(name, manifest, setting)
            for form in (file, *file.instead)
        )
        for file in manifest.files
    )


def mismatch(path: Path, form: Checked) -> str:
    """How the file differs from what it should be; '' where it does not."""
    size = path.stat().st_size
    if size != form.size:
        return f"has {size} bytes, wanted {form.size}"
    kind, wanted = ("sha256", form.sha256) if form.sha256 else ("md5", form.md5)
    with path.open("rb") as content:
        found = hashlib.file_digest(content, kind).hexdigest()
    return "" if found == wanted else f"its {kind} is {found[:12]}…, wanted {str(wanted)[:12]}…"


def _on_disk(name: str, manifest: Manifest, setting: str | None) -> Iterator[Path]:
    yield cache_folder() / name
    for mirror in mirrors(setting):
        if not _is_address(mirror):
            folders = manifest.mirror_folders or [name]
            yield from (Path(mirror).expanduser() / folder for folder in folders)


def _addresses(
    name: str, manifest: Manifest, file: File, setting: str | None
) -> Iterator[tuple[str, Checked]]:
    for mirror in mirrors(setting):
        if _is_address(mirror):
            for folder in manifest.mirror_folders or [name]:
                for form in (file, *file.instead):
                    yield f"{mirror.rstrip('/')}/{folder}/{form.name}", form
    for address in manifest.addresses:
        yield address.rstrip("/") + "/" + (file.path or file.name), file


def _is_address(mirror: str) -> bool:
    return mirror.startswith(("http://", "https://"))


def _download(address: str, form: Checked, folder: Path, title: str) -> str:
    """Put the file into ``folder`` under its name, once it is whole; or say why not."""
    part = folder / f".{form.name}.part"
    # A part that came of other bytes shows only in the end; the whole file is then fetched anew.
    for fresh in (not part.exists(), True):
        if fresh:
            part.unlink(missing_ok=True)
        try:
            fetch(address, part, form.size, title)
        except TransferError as error:
            return str(error)
        trouble = mismatch(part, form)
        if not trouble:
            part.replace(folder / form.name)
            return ""
        part.unlink()
        if fresh:
            break
    return trouble
