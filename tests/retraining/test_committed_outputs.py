"""The files of a commit: git's own, and those that its lock names in DVC's cache."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from genline.core.errors import DataError
from genline.retraining.git import Git
from genline.retraining.outputs import Committed, Working, read_json


def kept(cache: Path, content: bytes, suffix: str = "") -> str:
    """Put content where DVC does; the digest by which the lock names it."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
    place = cache / "files/md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return md5


@pytest.fixture
def committed(tmp_path: Path) -> Committed:
    cache, root = tmp_path / "cache", tmp_path / "work"
    inner = kept(cache, b"in a folder")
    listed = json.dumps([{"md5": inner, "relpath": "deep/samples.txt"}]).encode()
    outs = [
        {"path": "reports/samples/vae", "md5": kept(cache, listed, ".dir")},
        {"path": "models/one.bin", "md5": kept(cache, b"a file")},
        {"path": "models/lost.bin", "md5": "0" * 32},
        {"path": "reports/metrics.json", "md5": "1" * 32},  # kept by git itself
    ]
    (root / "reports").mkdir(parents=True)
    (root / "dvc.lock").write_text(yaml.safe_dump({"stages": {"a": {"outs": outs}}}))
    (root / "reports/metrics.json").write_text('{"fid": 1}')
    git = Git(root)
    git.run("init", "-q")
    git.run("add", "-A")
    git.run("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "Start")
    (root / "reports/metrics.json").write_text('{"fid": 2}')
    return Committed(git, "HEAD", cache)


def test_a_file_is_found_in_git_in_the_cache_and_in_a_cached_folder(committed: Committed) -> None:
    assert read_json(committed, "reports/metrics.json") == {"fid": 1}
    assert committed.read("models/one.bin") == b"a file"
    assert committed.read("reports/samples/vae/deep/samples.txt") == b"in a folder"


def test_what_is_not_there_or_not_in_the_cache_is_absent(committed: Committed) -> None:
    assert committed.read("models/none.bin") is None
    assert committed.read("models/lost.bin") is None
    assert committed.read("reports/samples/vae/other.txt") is None
    assert read_json(committed, "reports/none.json") is None


def test_the_working_files_are_those_of_now(committed: Committed, tmp_path: Path) -> None:
    working = Working(tmp_path / "work")
    assert read_json(working, "reports/metrics.json") == {"fid": 2}
    assert working.read("reports") is None
    (tmp_path / "work/reports/bad.json").write_text("{")
    with pytest.raises(DataError, match=r"reports/bad\.json: not valid JSON"):
        read_json(working, "reports/bad.json")
