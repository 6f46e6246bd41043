"""docs/registry.md: each command it shows is run, and does what the page says."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from finished_project import finish, trained, write_inputs

from genline import cli
from genline.core.files import write_text
from genline.stages import reproduce as reproduce_stage
from genline.tracking.reproduction import Reproduced
from genline.tracking.store import connect, resolve

ROOT = Path(__file__).parents[2]
NAME = "digits-vae"


def commands() -> list[str]:
    page = (ROOT / "docs/registry.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture
def line(project, evaluation, tiny_model, capsys):
    """The project's own params.yaml, and two versions: a champion and a challenger."""
    from genline.stages.register import run

    data = write_inputs(NAME)
    write_text("params.yaml", (ROOT / "params.yaml").read_text(encoding="utf-8"))
    shutil.copytree(ROOT / "data/expectations", "data/expectations")
    for seed, fid in ((0, (2.0, 1.9, 2.1)), (1, (3.0, 2.9, 3.1))):
        digest = tiny_model(Path("models") / NAME, seed)
        with trained(NAME, data, digest):
            pass
        finish(NAME, evaluation(model=digest, data=data, fid=fid) | {"experiment": NAME})
        run(NAME)
    capsys.readouterr()
    return project


def champion() -> str:
    return str(connect(resolve()).get_model_version_by_alias(NAME, "champion").version)


def test_each_command_of_the_page_runs(line, monkeypatch, capsys):
    # Training again takes as long as training; its own tests do it with a smaller pipeline.
    asked = []

    def reproduce(model, keep):
        asked.append((model, keep))
        return Reproduced(NAME, "m" * 64, "m" * 64, (), Path(".genline/reproduce/x"))

    monkeypatch.setattr(reproduce_stage, "reproduce", reproduce)
    shown = commands()
    assert {c.split()[1] for c in shown} == {
        *("lineage", "reproduce", "promote", "rollback", "sync")
    }
    champions = {}
    for command in shown:
        program, *arguments = shlex.split(command)
        assert program == "genline"
        assert cli.main(arguments) == 0, (command, capsys.readouterr().err)
        assert capsys.readouterr().out.strip(), command
        champions[arguments[0]] = champion()
    assert asked == [(f"{NAME}@champion", False)]
    assert champions["promote"] == "2"
    assert champions["rollback"] == "1"
    assert champions["sync"] == "1"


def test_what_cannot_be_done_is_one_line_and_a_failure(line, capsys):
    for arguments in (
        ["lineage", "digits-vea@champion"],
        ["reproduce", "digits-vae@champoin"],
        ["promote", "digits-vae/9", "--reason", "why"],
        ["promote", "digits-vae/2"],
        ["rollback", "digits-vae", "--reason", "why"],
        ["rollback", "digits-vea", "--reason", "why"],
        ["lineage", "models/nothing"],
    ):
        assert cli.main(arguments) == 1, arguments
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert said.startswith(f"genline {arguments[0]}: ")
    assert champion() == "1"
