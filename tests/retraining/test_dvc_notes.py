"""Notes that a kill cut short are taken away; all others stay."""

import fcntl
from pathlib import Path

import pytest

from genline.retraining.dvc_notes import NOTES, mend


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    NOTES.parent.mkdir(parents=True)


@pytest.mark.parametrize("content", ["", '{"read": {"a'])
def test_a_cut_file_is_taken_away(content: str) -> None:
    NOTES.write_text(content)
    assert mend()
    assert not NOTES.exists()


@pytest.mark.parametrize("content", ["{}", '{"read": {}, "write": {}}'])
def test_a_whole_file_stays(content: str) -> None:
    NOTES.write_text(content)
    assert not mend()
    assert NOTES.read_text() == content


def test_without_a_file_there_is_nothing_to_mend() -> None:
    assert not mend()


def test_a_file_that_dvc_is_writing_is_left_alone() -> None:
    NOTES.write_text("")
    with NOTES.with_name("rwlock.lock").open("a") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        assert not mend()
    assert NOTES.exists()
