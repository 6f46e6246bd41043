"""docs/extending.md: its files and patches, put into a copy of the project, do what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from clones import ROOT, make_clone

from genline.core.files import read_json

PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?ms)^```(\w+) ?(\S*)\n(.*?)^```$")

# What `dvc repro` runs up to each of these, in one process that imports the libraries once.
UP_TO = {
    "prepare": ["download", "validate", "prepare"],
    "evaluate": ["download", "validate", "prepare", "fit-evaluator", "train", "evaluate"],
}
RUN = """
import sys
from genline.cli import main
for command in sys.argv[1:]:
    if main(command.split()):
        sys.exit(f"failed: genline {command}")
"""


def test_its_dataset_network_objective_and_metric_work(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "copy", git=False).path
    stages: dict[str, None] = {}  # each once, in order
    for language, name, content in BLOCK.findall(PAGE):
        if name:
            (clone / name).write_text(content, encoding="utf-8")
        elif language == "diff":
            # The tiny budgets are written over params.yaml, whose patches are tried by themselves.
            file = "params.yaml" if "b/params.yaml" in content else ""
            apply(content, ROOT if file else clone, check_only=bool(file))
        else:
            assert language == "bash"
            for line in content.splitlines():
                stages |= dict.fromkeys(commands(line))
    environment = os.environ | {"PYTHONPATH": f"{clone}/src", "OMP_NUM_THREADS": "1"}

    def python(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=clone, env=environment, capture_output=True, text=True
        )
        assert not done.returncode, done.stdout + done.stderr
        return done.stdout

    use_what_was_added(clone)
    python("-c", RUN, *stages)
    python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "tests/evaluation/test_vendi.py"
    )

    counts = read_json(clone / "data/prepared/topics/meta.json")["counts"]
    assert sum(counts.values()) > 500
    page = (clone / "reports/validation/topics/index.html").read_text(encoding="utf-8")
    assert "topics" in page
    for experiment in ("digits-vae", "digits-gan"):
        vendi = read_json(clone / f"reports/metrics/{experiment}.json")["vendi"]
        assert 1 < vendi["low"] <= vendi["value"] <= vendi["high"] < vendi["count"]
        assert vendi["floor"] > 1
    assert read_json(clone / "models/digits-vae/config.json")["model"]["network"] == "linear"


def commands(line: str) -> list[str]:
    """The commands of genline that a line of the page comes to; none for pytest, run apart."""
    if line.startswith("genline "):
        return [line.removeprefix("genline ")]
    if line.startswith("python -m pytest "):
        return []
    (stage, key) = re.findall(r"^dvc repro ([\w-]+)@([\w-]+)$", line)[0]
    dataset = key.partition("-")[0]
    return [f"{step} {key if step in ('train', 'evaluate') else dataset}" for step in UP_TO[stage]]


def apply(patch: str, folder: Path, check_only: bool) -> None:
    words = ["git", "apply", *(["--check"] if check_only else []), "-"]
    done = subprocess.run(words, cwd=folder, input=patch, capture_output=True, text=True)
    assert not done.returncode, f"{done.stderr}\n{patch}"


def use_what_was_added(clone: Path) -> None:
    """What the page's patches of params.yaml set, in one whose budgets are tiny."""
    file = clone / "params.yaml"
    params = yaml.safe_load(file.read_text())
    (added,) = re.findall(r"(?m)^\+  topics:\n((?:\+    .*\n)+)", PAGE)
    params["datasets"]["topics"] = yaml.safe_load(re.sub(r"(?m)^\+", "", added))
    for entry, key in (("digits-vae", "model.network"), ("digits-gan", "train.objective")):
        section, name = key.split(".")
        (value,) = re.findall(rf"(?m)^\+      {name}: (\w+)", PAGE)
        params["experiments"][entry][section][name] = value
    file.write_text(yaml.safe_dump(params, sort_keys=False))


@pytest.mark.parametrize("name", ["your-data.md", "architecture.md#how-a-thing-plugs-in"])
def test_the_pages_it_points_to_exist(name: str) -> None:
    file, _, heading = name.partition("#")
    text = (ROOT / "docs" / file).read_text(encoding="utf-8")
    assert f"]({name})" in PAGE
    assert not heading or heading in [
        line.strip("# ").lower().replace(" ", "-") for line in text.splitlines() if line[:1] == "#"
    ]
