"""What each step of the loop decides, with DVC played by a stand-in and git by itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from genline.core.errors import ParamsError
from genline.retraining import pipeline
from genline.retraining.errors import RetrainError
from genline.retraining.git import Git
from genline.retraining.loop import Loop, Options

PARAMS = """\
datasets: {own: {}}
experiments: {vae: {steps: 5}}
retrain: {pull_request: ref, promote: at_once}
"""


@dataclass
class Dvc:
    """``stale`` by the content of dvc.lock; ``repro`` writes the next lock."""

    root: Path
    stale: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    result: str = ""
    done: list[str] = field(default_factory=list)
    remote: bool = True

    def out_of_date(self, lock: bytes, instead: bool = False) -> dict[str, list[str]]:
        return self.stale.get(lock.decode(), {})

    def repro(self, targets: Any = (), keep_open: Any = ()) -> list[str]:
        self.done.append(" ".join(["repro", *targets]))
        (self.root / "dvc.lock").write_text(self.result)
        evaluation = '{"digests": {"model": "m"}, "metrics": {}, "health": {}, "experiment": "vae"}'
        path = self.root / "reports/evaluation/vae.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(evaluation)
        return ["train@vae"]


@pytest.fixture
def dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dvc:
    """A clone of a bare repository, whose committed lock is out of date."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    root = tmp_path / "work"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", tmp_path / "remote"], check=True)
    subprocess.run(["git", "clone", "-q", tmp_path / "remote", root], check=True)
    git = Git(root)
    (root / "params.yaml").write_text(PARAMS)
    (root / "dvc.lock").write_text("stages: {}\n")
    (root / ".gitignore").write_text("/.genline/\n")
    git.run("checkout", "-q", "-B", "main")
    git.run("add", "-A")
    git.run("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "Start")
    git.run("push", "-q", "origin", "main")
    monkeypatch.chdir(root)
    dvc = Dvc(root, {"stages: {}\n": {"train@vae": ["vae.steps changed"]}}, "stages: {new: {}}\n")
    monkeypatch.setattr(pipeline, "out_of_date", dvc.out_of_date)
    monkeypatch.setattr(pipeline, "repro", dvc.repro)
    monkeypatch.setattr(pipeline, "pull", lambda: dvc.done.append("pull"))
    monkeypatch.setattr(pipeline, "push", lambda: dvc.done.append("push"))
    monkeypatch.setattr(pipeline, "has_remote", lambda: dvc.remote)
    monkeypatch.setattr(pipeline, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(Loop, "promote", lambda _: dvc.done.append("promote"))
    return dvc


def retrain(only: str | None = None, **options: Any) -> None:
    Loop(Options(**options)).run(only)


def refs(dvc: Dvc) -> str:
    return Git(dvc.root.parent / "remote").run("for-each-ref", "--format=%(refname)")


def test_the_steps_run_in_an_order_that_makes_a_failure_harmless(dvc: Dvc) -> None:
    retrain()
    assert dvc.done == ["pull", "repro", "push", "promote"]
    assert refs(dvc).split() == [
        "refs/heads/genline/retrain",
        "refs/heads/main",
        "refs/pull-requests/genline/retrain",
    ]


def test_nothing_changed_does_nothing(dvc: Dvc, capsys: pytest.CaptureFixture[str]) -> None:
    dvc.stale = {}
    retrain()
    assert "nothing changed: every output is up to date" in capsys.readouterr().out
    assert dvc.done == ["promote"]  # which has nothing to do


def test_a_result_on_the_branch_is_not_made_again(
    dvc: Dvc, capsys: pytest.CaptureFixture[str]
) -> None:
    retrain()
    dvc.done.clear()
    retrain()  # in the same folder
    Git(dvc.root).run("checkout", "-q", "--", ".")  # as in a fresh clone
    retrain()
    assert dvc.done == ["promote", "promote"]  # what a run that was killed may have left
    assert capsys.readouterr().out.count("nothing changed since the result") == 2
    assert (dvc.root / "dvc.lock").read_text() == "stages: {}\n"


def test_a_result_that_was_not_offered_yet_is_not_made_again_but_offered(
    dvc: Dvc, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "push", killed)
        with pytest.raises(KeyboardInterrupt):
            retrain()
    assert "retrain" not in refs(dvc)
    retrain()
    assert "refs/heads/genline/retrain" in refs(dvc)


def away(remote: Path) -> Callable[[], object]:
    gone = remote.rename(remote.with_name("gone"))
    return lambda: gone.rename(remote)


def without_rights(remote: Path) -> Callable[[], object]:
    hook = remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho you may not >&2\nexit 1\n")
    hook.chmod(0o755)
    return hook.unlink


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (away, r"the git remote 'origin' cannot be used \("),
        (without_rights, r"did not take genline/retrain \(.*\); see that .* you may push to it"),
    ],
)
def test_a_git_remote_lost_after_the_data_are_pushed_fails_clean_and_the_next_run_finishes(
    dvc: Dvc,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[Path], Callable[[], object]],
    words: str,
) -> None:
    """Between ``dvc push`` and git's own: nothing is promoted and no branch is there."""
    mended = []

    def push() -> None:
        dvc.done.append("push")
        mended.append(trouble(dvc.root.parent / "remote"))

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "push", push)
        with pytest.raises(RetrainError, match=words) as told:
            retrain()
    assert "\n" not in str(told.value)
    mended[0]()
    assert refs(dvc).split() == ["refs/heads/main"]
    assert dvc.done == ["pull", "repro", "push"]
    retrain()
    assert dvc.done[3:] == ["pull", "repro", "push", "promote"]
    assert "refs/heads/genline/retrain" in refs(dvc)


def test_a_branch_that_was_pushed_without_its_request_is_asked_for(dvc: Dvc) -> None:
    retrain()
    remote = Git(dvc.root.parent / "remote")
    remote.run("update-ref", "-d", "refs/pull-requests/genline/retrain")
    retrain("check")
    retrain(dry_run=True)
    assert "refs/pull-requests" not in refs(dvc)  # neither of them asks
    retrain()
    assert "refs/pull-requests/genline/retrain" in refs(dvc)


def test_a_dry_run_changes_nothing(dvc: Dvc) -> None:
    (dvc.root / "presets/budgets").mkdir(parents=True)
    (dvc.root / "presets/budgets/tiny.yaml").write_text("experiments.vae.steps: 1\n")
    retrain(dry_run=True, budget="tiny")
    assert dvc.done == ["promote"]  # which asks for itself whether it may
    assert "retrain" not in refs(dvc)
    assert (dvc.root / "params.yaml").read_text() == PARAMS


def test_a_budget_is_set_before_anything_is_looked_at(dvc: Dvc) -> None:
    (dvc.root / "presets/budgets").mkdir(parents=True)
    (dvc.root / "presets/budgets/tiny.yaml").write_text("experiments.vae.steps: 1\n")
    retrain(budget="tiny")
    remote = Git(dvc.root.parent / "remote")
    assert "steps: 1" in remote.run("show", "genline/retrain:params.yaml")
    assert "steps: 5" in remote.run("show", "main:params.yaml")
    assert (dvc.root / "params.yaml").read_text() == PARAMS
    with pytest.raises(ParamsError, match="no budget 'tinny'"):
        retrain(budget="tinny")


def test_chosen_experiments_are_made_and_the_report_after_them(dvc: Dvc) -> None:
    retrain(experiments=("vae",))
    assert dvc.done[1:3] == ["repro register@vae", "repro --single-item report"]
    with pytest.raises(RetrainError, match=r"no experiment 'vea' .* did you mean 'vae'"):
        retrain(experiments=("vea",))


def test_without_a_dvc_remote_it_stops_before_it_trains(dvc: Dvc) -> None:
    dvc.remote = False
    with pytest.raises(RetrainError, match="no DVC remote is set"):
        retrain()
    assert dvc.done == []


def test_data_that_change_while_it_runs_are_told(
    dvc: Dvc, capsys: pytest.CaptureFixture[str]
) -> None:
    dvc.stale[dvc.result] = {"download@own": ["../own changed"]}
    retrain("repro")
    assert "the data of own changed while this ran" in capsys.readouterr().out


def test_files_changed_by_hand_are_refused(dvc: Dvc) -> None:
    (dvc.root / ".gitignore").write_text("")
    (dvc.root / "src").mkdir()
    (dvc.root / "src/new.py").write_text("")
    with pytest.raises(RetrainError, match=r"src/new\.py differs from HEAD"):
        retrain()
    assert dvc.done == []


def test_a_folder_without_git_is_refused(dvc: Dvc, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/params.yaml").write_text(PARAMS)
    with pytest.raises(RetrainError, match="no git repository"):
        Loop(Options(), tmp_path / "bare").run()


def test_a_run_that_was_killed_leaves_no_budget(
    dvc: Dvc, capsys: pytest.CaptureFixture[str]
) -> None:
    """Notes as a killed run leaves them, for nothing of its own can clear them away."""
    notes = dvc.root / ".genline/lent"
    notes.mkdir(parents=True)
    lent = PARAMS.replace("5", "1")
    (dvc.root / "params.yaml").write_text(lent)
    note = {"path": "params.yaml", "before": PARAMS, "lent": lent}
    (notes / "params.yaml.json").write_text(json.dumps(note))
    retrain("check")
    assert "params.yaml is again as it was" in capsys.readouterr().out
    assert (dvc.root / "params.yaml").read_text() == PARAMS
    assert list(notes.iterdir()) == []


def test_the_documented_line_of_cron_goes_on_after_a_merge(dvc: Dvc) -> None:
    (dvc.root / "presets/budgets").mkdir(parents=True)
    retrain()
    remote = Git(dvc.root.parent / "remote")
    tip = remote.run("rev-parse", "genline/retrain")
    (dvc.root / "reports/evaluation/left.json").write_text("{}")  # of a result that was not taken
    (dvc.root / "data").mkdir()
    (dvc.root / "data/watched.csv").write_text("1\n")  # git does not know it, and it is no run's
    remote.run("update-ref", "refs/heads/main", tip)  # the merge
    text = (Path(__file__).parents[2] / "docs/ci.md").read_text()
    (line,) = [row for row in text.splitlines() if row.startswith("17 3 * * *")]
    command = line.removeprefix("17 3 * * *").replace("/srv/project", str(dvc.root))
    before, _, run = command.rpartition(" && ")
    assert run == ".venv/bin/genline retrain"
    subprocess.run(["sh", "-c", before], check=True)
    git = Git(dvc.root)
    assert git.run("rev-parse", "HEAD") == tip
    assert git.run("status", "--porcelain") == "?? data/"
    assert (dvc.root / ".genline").is_dir()  # where checkpoints are
    dvc.done.clear()
    retrain()
    assert dvc.done == ["promote"]


def test_params_that_somebody_wrote_after_the_kill_are_theirs(dvc: Dvc) -> None:
    notes = dvc.root / ".genline/lent"
    notes.mkdir(parents=True)
    note = {"path": "params.yaml", "before": PARAMS, "lent": PARAMS.replace("5", "1")}
    (notes / "params.yaml.json").write_text(json.dumps(note))
    (dvc.root / "params.yaml").write_text(PARAMS.replace("5", "9"))
    retrain("check")
    assert "steps: 9" in (dvc.root / "params.yaml").read_text()
    assert list(notes.iterdir()) == []


def test_a_dry_run_says_first_what_would_stop_the_loop(
    dvc: Dvc, capsys: pytest.CaptureFixture[str]
) -> None:
    dvc.remote = False
    (dvc.root / ".gitignore").write_text("/.genline/\n/more/\n")
    (dvc.root / "notes.txt").write_text("")
    Git(dvc.root).run("add", "notes.txt")
    retrain(dry_run=True)
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert "would stop before anything is made: notes.txt differs from HEAD" in first
    assert "would stop before anything is made: no DVC remote is set" in second
    assert rest and not any("would stop" in line for line in rest)
