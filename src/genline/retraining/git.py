"""The git commands that a retraining needs. None moves HEAD, the index or the main branch."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from genline.retraining.errors import RetrainError
from genline.tracking import git

SECONDS = 120.0  # a remote that says nothing for so long is away
_NOBODY = {"NAME": "genline", "EMAIL": "genline@localhost"}


class Git:
    """The repository around ``root``.

    Raises RetrainError with git's own last line when a command fails.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, give: bytes | None = None, index: Path | None = None) -> str:
        """What a command prints, without the last line's end.

        index: a file that takes the place of the repository's index.
        """
        return self.raw(*command, give=give, index=index).decode(errors="replace").rstrip("\n")

    def raw(self, *command: str, give: bytes | None = None, index: Path | None = None) -> bytes:
        done = self._do(command, give, index)
        if done.returncode != 0:
            raise RetrainError(f"`git {command[0]}`: {git.reason(done.stderr)}")
        return done.stdout

    def maybe(self, *command: str) -> str | None:
        """What a command prints, or None when it fails."""
        done = self._do(command, None, None)
        return done.stdout.decode(errors="replace").rstrip("\n") if not done.returncode else None

    def ancestor(self, older: str, newer: str) -> bool:
        """Whether ``newer`` has ``older`` in its history."""
        return self.maybe("merge-base", "--is-ancestor", older, newer) is not None

    def lines(self, *command: str) -> list[str]:
        """What a command prints with ``-z``, item by item."""
        return [item for item in self.run(*command).split("\0") if item]

    def tip(self, remote: str, ref: str) -> str | None:
        """The commit that a remote's ``ref`` is at, its history fetched; None without one.

        Raises RetrainError when the remote does not answer.
        """
        found = self._remote(remote, "ls-remote", remote, ref).split()
        if not found:
            return None
        if self.maybe("cat-file", "-e", f"{found[0]}^{{commit}}") is None or self._shallow():
            depth = ["--unshallow"] if self._shallow() else []
            self._remote(remote, "fetch", "--quiet", "--no-tags", *depth, remote, ref)
        return found[0]

    def push(self, remote: str, commit: str, ref: str, seen: str | None) -> bool:
        """Move a remote's ``ref`` to ``commit``, if it is still where it was ``seen``.

        False when it has moved. Raises RetrainError when the remote is away or refuses.
        """
        lease = f"--force-with-lease={ref}:{seen or ''}"
        done = self._do(("push", "--porcelain", "--quiet", lease, remote, f"{commit}:{ref}"))
        if done.returncode == 0:
            return True
        text = (done.stdout + done.stderr).decode(errors="replace")
        if "stale info" in text or "fetch first" in text or "cannot lock ref" in text:
            return False
        why = git.reason(done.stderr or done.stdout)
        raise RetrainError(
            f"the git remote '{remote}' did not take {ref.removeprefix('refs/heads/')} ({why}); "
            "see that it is there and that you may push to it"
        )

    def can_push(self, remote: str, ref: str) -> None:
        """Raises RetrainError unless the remote answers to a push, which is not done."""
        self._remote(remote, "push", "--dry-run", "--quiet", "--force", remote, f"HEAD:{ref}")

    def commit(self, parent: str, files: Mapping[str, bytes | None], message: str) -> str:
        """A commit on ``parent`` with these files, None taking one away; nothing is checked out."""
        with tempfile.TemporaryDirectory(prefix="genline-index-") as folder:
            index = Path(folder, "index")
            self.run("read-tree", parent, index=index)
            rows = []
            for path, content in files.items():
                if content is None:
                    rows.append(f"0 {'0' * 40}\t{path}\0")
                    continue
                blob = self.run("hash-object", "-w", "--stdin", give=content)
                rows.append(f"100644 {blob}\t{path}\0")
            listed = "".join(rows).encode()
            self.run("update-index", "-z", "--index-info", give=listed, index=index)
            tree = self.run("write-tree", index=index)
        return self.run("commit-tree", tree, "-p", parent, give=message.encode())

    def _remote(self, remote: str, *command: str) -> str:
        done = self._do(command)
        if done.returncode != 0:
            raise RetrainError(
                f"the git remote '{remote}' cannot be used ({git.reason(done.stderr)}); see that "
                "it is there and that you may push to it"
            )
        return done.stdout.decode(errors="replace")

    def _shallow(self) -> bool:
        return self.maybe("rev-parse", "--is-shallow-repository") == "true"

    def _do(
        self, command: Sequence[str], give: bytes | None = None, index: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        environment = self._identity() if command[0] == "commit-tree" else {}
        if index is not None:
            environment["GIT_INDEX_FILE"] = str(index)
        try:
            return git.run(
                self.root, *command, given=give, environment=environment, seconds=SECONDS
            )
        except git.GitError as error:
            raise RetrainError(str(error)) from None

    def _identity(self) -> dict[str, str]:
        """A name to commit by, where git was given none."""
        asked = {key: self.maybe("config", f"user.{key.lower()}") for key in _NOBODY}
        found = {
            f"GIT_{role}_{key}": asked[key] or name
            for role in ("AUTHOR", "COMMITTER")
            for key, name in _NOBODY.items()
        }
        return {key: os.environ.get(key, name) for key, name in found.items()}
