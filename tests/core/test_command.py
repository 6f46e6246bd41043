"""The command itself: one line for whatever goes wrong, and what stands in it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genline import cli


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(arguments: object) -> None:
        raise error

    monkeypatch.setattr(cli, "_run", run)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "genline: the following arguments are required: VERB; see `genline --help`"),
        (["trian"], "invalid choice: 'trian'"),
        (
            ["sample", "e", "-n", "x"],
            "genline sample: argument -n/--count: invalid int value: 'x'; see",
        ),
    ],
)
def test_a_wrong_command_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert words in said(capsys)


def test_an_interrupt_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    monkeypatch.delenv("DVC_STAGE", raising=False)
    assert cli.main(["check"]) == 130
    assert said(capsys) == "genline check: interrupted; run it again to go on\n"


def test_an_interrupt_of_a_pipeline_says_how_the_last_outputs_come_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    monkeypatch.setenv("DVC_STAGE", "train@digits-vae")
    assert cli.main(["check"]) == 130
    text = said(capsys)
    assert "`dvc repro` goes on" in text
    assert "`git restore reports` and `dvc checkout` bring the last outputs back" in text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left", "models/x.bin"), "models/x.bin: the disk is full"),
        (OSError(errno.EISDIR, "Is a directory", "a"), "a: is a folder where a file is wanted"),
        (OSError(errno.ENOTDIR, "Not a directory", "a/b"), "a/b: a part of this path is a file"),
        (OSError(errno.ENOSPC, "No space left"), "standard output: the disk is full"),
    ],
)
def test_an_error_of_the_system_names_the_file_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: OSError,
    words: str,
) -> None:
    failing(monkeypatch, error)
    assert cli.main(["check"]) == 1
    assert words in said(capsys)


PROGRAM = """
import sys
from genline import cli
cli._run = lambda arguments: sys.stdout and sys.stdout.write("ü" * 100)
sys.exit(cli.main(["check"]))
"""


def run(redirection: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {redirection}', sys.executable, PROGRAM],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_standard_output_is_one_line(tmp_path: Path) -> None:
    done = run("> /dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "genline check: standard output: the disk is full: free some space and run again"
    ]


def test_a_closed_standard_output_is_no_bug(tmp_path: Path) -> None:
    done = run(">&-", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_that_lacks_a_character_shows_its_escape(tmp_path: Path) -> None:
    done = run("", tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stdout) == (0, "\\xfc" * 100)
