"""The git commands that a retraining needs. None moves HEAD, the index or the main branch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from genline.retraining.errors import RetrainError

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
            raise RetrainError(f"`git {command[0]}`: {_reason(done.stderr)}")
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
        why = _reason(done.stderr or done.stdout)
        raise RetrainError(
            f"the git remote '{remote}' did not take {ref.removeprefix('refs/heads/')} ({why}); "
            "see that it is there and that you may push to it"
        )

    def can_push(self, remote: str, ref: str) -> None:
        """Raises RetrainError unless the remote answers to a push, which is not done."""
        self._remote(remote, "push", "--dry-run", "--quiet", "--force", remote, f"HEAD:{ref}")

    def commit(self, parent: str, files: Mapping[str, bytes | None], message: str) -> str:
        """A commit on ``parent`` with these files, None taking one away; nothing is checked out."""
        index = Path(self.run("rev-parse", "--absolute-git-dir")) / f"genline-index-{os.getpid()}"
        try:
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
        finally:
            index.unlink(missing_ok=True)
        return self.run("commit-tree", tree, "-p", parent, give=message.encode())

    def _remote(self, remote: str, *command: str) -> str:
        done = self._do(command)
        if done.returncode != 0:
            raise RetrainError(
                f"the git remote '{remote}' cannot be used ({_reason(done.stderr)}); see that it "
                "is there and that you may push to it"
            )
        return done.stdout.decode(errors="replace")

    def _shallow(self) -> bool:
        return self.maybe("rev-parse", "--is-shallow-repository") == "true"

    def _do(
        self, command: Sequence[str], give: bytes | None = None, index: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        settings = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        if index is not None:
            settings["GIT_INDEX_FILE"] = str(index)
        environment = self._identity() if command[0] == "commit-tree" else {}
        try:
            return subprocess.run(
                ["git", "-c", "core.quotePath=false", *command],
                cwd=self.root,
                env={**environment, **os.environ, **settings},
                input=give,
                stdin=subprocess.DEVNULL if give is None else None,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise RetrainError("git is not installed; install it") from None
        except subprocess.TimeoutExpired:
            raise RetrainError(
                f"`git {command[0]}` did not end within {SECONDS:.0f} s; see to the remote"
            ) from None

    def _identity(self) -> dict[str, str]:
        """A name to commit by, where git was given none."""
        asked = {key: self.maybe("config", f"user.{key.lower()}") for key in _NOBODY}
        return {
            f"GIT_{role}_{key}": asked[key] or name
            for role in ("AUTHOR", "COMMITTER")
            for key, name in _NOBODY.items()
        }


def _reason(said: bytes) -> str:
    """The line of an error that says most."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    for mark in ("fatal: ", "remote: ", "error: "):
        for line in lines:
            if line.startswith(mark):
                return line.removeprefix(mark)[:200]
    return (lines or ["it failed"])[0][:200]
