"""What a person watching `dvc repro` reads of each stage."""

from __future__ import annotations

import re

import pytest
import yaml

from genline import cli
from genline.core.files import write_json, write_text
from genline.stages import download, prepare


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_steps_are_the_stages_of_the_pipeline_in_their_order(request):
    stages = yaml.safe_load((request.config.rootpath / "dvc.yaml").read_text())["stages"]
    assert list(cli.STEPS) == [name.replace("_", "-") for name in stages]


def test_a_stage_says_which_step_it_is_and_how_long_it_took(monkeypatch, capsys):
    monkeypatch.setattr("genline.parameters.check", lambda: None)
    monkeypatch.setattr("genline.parameters.require", lambda kind, name: None)
    monkeypatch.setattr(download, "run", lambda dataset: print(f"the work on {dataset}"))
    assert cli.main(["download", "digits"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["[step 1 of 8] download digits", "the work on digits"]
    assert re.fullmatch(r"done in \d+\.\d s", lines[2])


def test_other_commands_print_only_what_was_asked_for(monkeypatch, capsys):
    monkeypatch.setattr("genline.parameters.check", lambda: None)
    assert cli.main(["check"]) == 0
    assert capsys.readouterr().out == "params.yaml is valid\n"


def test_preparing_says_what_was_kept_and_what_was_left_out(capsys):
    suite = {"valid": 0.2, "test": 0.2, "near_duplicates": 1.0, "vocabulary": 12}
    section = suite | {"max_tokens": 3, "unknown": "keep"}
    params = {"seed": 1, "datasets": {"prose": {"kind": "text", "prepare": section}}}
    write_text("params.yaml", yaml.safe_dump(params))
    source = {"name": "docstrings", "kind": "text", "versions": {}}
    write_json("data/raw/prose/source.json", source)
    texts = [f"word {chr(97 + i)}" for i in range(10)] + ["four words are many"]
    lines = "".join(f'{{"text": "{t}", "package": "p", "module": "m"}}\n' for t in texts)
    write_text("data/raw/prose/docstrings.jsonl", lines)
    write_json("data/validated/prose/result.json", {"success": True})
    prepare.run("prose")
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "prose: 10 texts in data/prepared/prose: test 2, train 6, valid 2",
        "prose: left out: 1 too long",
        "prose: outside the vocabulary, read as <unk>: 50.0% of test, 0.0% of train, 50.0% of "
        "valid; raise prepare.vocabulary",
    ]


def test_downloading_says_what_came_and_how_much(capsys):
    params = {
        "datasets": {
            "digits": {"kind": "image", "source": {"name": "digits", "path": "requirements.lock"}}
        }
    }
    write_text("params.yaml", yaml.safe_dump(params))
    download.run("digits")
    assert capsys.readouterr().out == (
        "digits: images from the source 'digits' in data/raw/digits: 0.1 MB\n"
    )
