"""What a dirty working tree adds to its commit, as a patch that `git apply` takes.

Changes of tracked files are all in it; new files only from where code and expectations stand, since
others may be data or secrets. What the pipeline writes is left out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from genline.tracking import git
from genline.tracking.provenance import WRITTEN

LIMIT = 1_000_000  # bytes of a patch, and of all new files together
FILE = "pipeline/patch.diff"  # the artifact of a run
_NEW_FILES = ("src", "data/expectations")


@dataclass(frozen=True)
class Patch:
    """``content`` is None where the patch was not kept, and ``reason`` says why."""

    content: bytes | None
    reason: str = ""


def working_patch(root: Path | None = None) -> Patch:
    """The difference between HEAD and the working tree of the repository at ``root``.

    Git's own index and objects are left as they are. Empty content where nothing differs.
    """
    root = root or Path.cwd()
    try:
        with tempfile.TemporaryDirectory(prefix="genline-patch-") as folder:
            return _patch(root, Path(folder))
    except (OSError, git.GitError) as error:
        return Patch(None, f"git gave none ({error})")


def _patch(root: Path, scratch: Path) -> Patch:
    new = git.ask(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *_NEW_FILES)
    size = sum((root / os.fsdecode(name)).stat().st_size for name in new.split(b"\0") if name)
    if size > LIMIT:
        return Patch(None, f"new files hold {size} bytes, more than {LIMIT}")
    index, objects = (_place(root, name) for name in ("index", "objects"))
    if index.exists():
        shutil.copyfile(index, scratch / "index")
    (scratch / "objects").mkdir()
    scratched = {
        "GIT_INDEX_FILE": str(scratch / "index"),
        "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
    }
    excluded = [f":(exclude){path}" for path in WRITTEN]
    git.ask(root, "add", "--update", "--", ".", *excluded, environment=scratched)
    if new:
        listed = ("add", "--pathspec-from-file=-", "--pathspec-file-nul")
        git.ask(root, *listed, given=new, environment=scratched)
    difference = ("diff", "--cached", "--binary", "--no-color", "--no-ext-diff", "HEAD")
    content = git.ask(root, *difference, "--", ".", *excluded, environment=scratched)
    if len(content) > LIMIT:
        return Patch(None, f"it has {len(content)} bytes, more than {LIMIT}")
    return Patch(content)


def _place(root: Path, name: str) -> Path:
    found = os.fsdecode(git.ask(root, "rev-parse", "--git-path", name)).strip()
    return (root / found).resolve()
