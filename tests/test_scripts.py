"""The benchmarks and the kill campaign: programs that say what they do before they do it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [*sorted((ROOT / "benchmarks").glob("*.py")), ROOT / "tests/line/kill_campaign.py"]


def run(script: Path, *arguments: str, patch: pytest.MonkeyPatch) -> int | str | None:
    """The exit status; in this process, so that the libraries are imported once for all."""
    patch.setattr("sys.argv", [str(script), *arguments])
    patch.syspath_prepend(str(script.parent))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    return ended.value.code


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_answers_help_and_refuses_what_it_does_not_know(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(script, "--help", patch=monkeypatch) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "usage:" in said and len(said.partition("options:")[0]) > 80  # it says what it is for
    assert run(script, "--nonsense", patch=monkeypatch) == 2
    assert "error: " in capsys.readouterr().err
