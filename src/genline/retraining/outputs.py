"""The pipeline's files as they are now, and as they were at a commit, without checking it out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from genline.core.errors import DataError
from genline.retraining.git import Git
from genline.retraining.pipeline import LOCK_FILE, read_lock


class Outputs(Protocol):
    """Where files of the pipeline are read from, by their names in the project."""

    def read(self, path: str) -> bytes | None:
        """A file's content; None where there is none."""

    def digest(self, out: str) -> str | None:
        """That of a stage's output in ``dvc.lock``, at hand or not; None where it names none."""


class Working:
    """The files in the project's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes | None:
        place = self.root / path
        return place.read_bytes() if place.is_file() else None

    def digest(self, out: str) -> str | None:
        return _digests(self.read(str(LOCK_FILE)), str(LOCK_FILE)).get(out)


class Committed:
    """The files of a commit: those in git, and those that its ``dvc.lock`` names in DVC's cache.

    A file that the cache does not hold counts as absent.
    """

    def __init__(self, git: Git, commit: str, cache: Path) -> None:
        self._git, self._commit, self._cache = git, commit, cache
        self._outs = _digests(self._show(str(LOCK_FILE)), f"{LOCK_FILE} of {commit[:12]}")

    def read(self, path: str) -> bytes | None:
        tracked = self._show(path)
        if tracked is not None:
            return tracked
        if path in self._outs:
            return self._cached(self._outs[path])
        for folder, entries in self._folders(path):
            inside = str(PurePosixPath(path).relative_to(folder))
            for entry in entries:
                if entry["relpath"] == inside:
                    return self._cached(entry["md5"])
        return None

    def digest(self, out: str) -> str | None:
        return self._outs.get(out)

    def _folders(self, path: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """The outputs that are folders and hold ``path``, with the lists of their files."""
        for out, md5 in self._outs.items():
            if md5.endswith(".dir") and path.startswith(f"{out}/"):
                content = self._cached(md5)
                if content is not None:
                    yield out, json.loads(content)

    def _cached(self, md5: str) -> bytes | None:
        place = self._cache / "files" / "md5" / md5[:2] / md5[2:]
        return place.read_bytes() if place.is_file() else None

    def _show(self, path: str) -> bytes | None:
        if self._git.maybe("cat-file", "-e", f"{self._commit}:{path}") is None:
            return None
        return self._git.raw("cat-file", "blob", f"{self._commit}:{path}")


def _digests(lock: bytes | None, where: str) -> dict[str, str]:
    return {
        out["path"]: out["md5"]
        for stage in read_lock(lock, where).values()
        for out in stage.get("outs", [])
        if "md5" in out
    }


def read_json(outputs: Outputs, path: str) -> Any:
    """The JSON value in a file; None where there is no file. Raises DataError for other text."""
    content = outputs.read(path)
    if content is None:
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error}); run its stage again") from None
