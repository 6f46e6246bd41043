"""Notes that a kill cut short are taken away; all others stay."""

import fcntl
import json
import os
import subprocess
import sys
import time
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


def noted(number: int) -> dict[str, object]:
    """Notes of a process that writes one file and reads another, which this one reads too."""
    entry, mine = {"pid": number, "cmd": "dvc repro"}, {"pid": os.getpid(), "cmd": "dvc status"}
    return {"write": {"a.csv": entry}, "read": {"b.csv": [entry, mine]}}


def test_what_a_killed_process_left_is_taken_out_though_its_number_is_still_taken() -> None:
    """It has ended, and its parent has not waited for it."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        while Path(f"/proc/{process.pid}/stat").read_text().split()[2] != "Z":
            time.sleep(0.01)
        NOTES.write_text(json.dumps(noted(process.pid)))
        assert mend()
    left = json.loads(NOTES.read_text())
    assert left == {"write": {}, "read": {"b.csv": [{"pid": os.getpid(), "cmd": "dvc status"}]}}
    assert not mend()


def test_a_process_that_began_after_the_notes_were_written_did_not_write_them() -> None:
    NOTES.write_text(json.dumps(noted(os.getpid())))
    assert not mend()
    os.utime(NOTES, (0, 0))
    assert mend()
    assert json.loads(NOTES.read_text()) == {"write": {}, "read": {}}
