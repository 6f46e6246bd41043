from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from genline.core.errors import DataError, GenlineError, ModelError, TrackingError
from genline.core.files import write_text
from genline.tracking import actions, decisions, locking
from genline.tracking.names import PERSON, SET_ASIDE
from genline.tracking.sqlite_books import SqliteBooks
from genline.tracking.store import connect, resolve

NAME = "tiny-vae"
BETTER, WORSE = (1.0, 0.9, 1.1), (3.0, 2.9, 3.1)


def aliases():
    found = connect(resolve()).get_registered_model(NAME).aliases
    return {name: str(version) for name, version in found.items()}


def version(number):
    return connect(resolve()).get_model_version(NAME, number)


@pytest.fixture
def two(register_stage):
    """A champion and a challenger that the gate did not promote."""
    register_stage()
    register_stage(seed=1, fid=WORSE)
    assert aliases() == {"champion": "1", "challenger": "2"}


def test_a_person_promotes_what_the_gate_did_not_and_it_is_recorded(two):
    said = actions.promote(f"{NAME}@challenger", "a reviewer prefers its digits")
    assert "version 2 is champion, in place of version 1" in said
    assert aliases() == {"champion": "2"}
    [line] = decisions.read_decisions()
    assert (line["action"], line["version"], line["previous_version"]) == ("promote", "2", "1")
    assert line["reason"] == "a reviewer prefers its digits"
    assert line["who"]
    assert json.loads(version("2").tags[PERSON]) == line
    assert json.loads(version("1").tags[SET_ASIDE]) == line
    assert version("2").description.startswith("**By a person:** promoted on ")


def test_a_version_set_aside_stays_challenger_until_a_person_promotes_it(register_stage):
    register_stage()
    register_stage(seed=1, fid=BETTER)
    actions.rollback(NAME, "its sevens look like ones")
    again = register_stage(seed=1, fid=BETTER)
    assert again["decision"] == "challenger"
    assert "its sevens look like ones; `genline promote`" in again["reason"]
    assert aliases() == {"champion": "1", "challenger": "2"}
    assert version("2").description.startswith("**By a person:** set aside on ")
    assert "its sevens look like ones" in version("2").tags["genline.reason"]
    assert version("1").description.startswith("**By a person:** brought back on ")
    assert register_stage(seed=1, fid=BETTER) == again
    actions.promote(f"{NAME}/2", "they do not")
    assert aliases() == {"champion": "2"}
    assert register_stage(seed=1, fid=BETTER)["decision"] == "champion"
    assert version("2").description.startswith("**By a person:** promoted on ")


@pytest.mark.parametrize("lost", ["the tags", "the record"])
def test_a_rollback_is_known_by_the_record_and_by_the_tags(register_stage, lost):
    register_stage()
    register_stage(seed=1, fid=BETTER)
    actions.rollback(NAME, "odd")
    if lost == "the record":
        decisions.FILE.unlink()
    else:
        connect(resolve()).delete_model_version_tag(NAME, "2", SET_ASIDE)
    assert register_stage(seed=1, fid=BETTER)["decision"] == "challenger"
    assert aliases()["champion"] == "1"


def test_a_better_version_than_the_one_set_aside_is_promoted_by_the_gate(register_stage):
    register_stage()
    register_stage(seed=1, fid=BETTER)
    actions.rollback(NAME, "odd")
    assert register_stage(seed=2, fid=(0.5, 0.4, 0.6))["decision"] == "champion"
    assert register_stage(seed=1, fid=(0.1, 0.05, 0.15))["decision"] == "challenger"
    assert aliases()["champion"] == "3"


def test_a_rollback_goes_back_to_the_champion_before_and_again_further(register_stage):
    register_stage()
    register_stage(seed=1, fid=BETTER)
    register_stage(seed=2, fid=(0.5, 0.4, 0.6))
    assert aliases()["champion"] == "3"
    actions.rollback(NAME, "odd")
    assert aliases()["champion"] == "2"
    actions.rollback(NAME, "odder")
    assert aliases()["champion"] == "1"
    with pytest.raises(ModelError, match="is its first champion"):
        actions.rollback(NAME, "oddest")
    assert [d["action"] for d in decisions.read_decisions()] == ["rollback"] * 2


def test_a_promotion_by_hand_can_be_rolled_back(two):
    actions.promote(f"{NAME}/2", "try it")
    actions.rollback(NAME, "tried")
    assert aliases()["champion"] == "1"


def test_promoting_the_champion_changes_nothing(two):
    before = version("1").last_updated_timestamp
    assert "already" in actions.promote(f"{NAME}/1", "again")
    assert version("1").last_updated_timestamp == before
    assert decisions.read_decisions() == []


def test_a_model_with_failed_checks_may_be_promoted_and_that_is_said(register_stage):
    register_stage(failed="mode_drop")
    assert "health checks failed: mode_drop" in actions.promote(f"{NAME}/1", "for a demo")


@pytest.mark.parametrize("answered", [True, False])
def test_a_kill_at_any_call_leaves_before_or_after_and_the_same_command_completes_it(
    two, monkeypatch, answered
):
    from mlflow import MlflowClient

    client, before = connect(resolve()), "1"
    for name in (
        *("set_model_version_tag", "set_registered_model_alias"),
        *("delete_registered_model_alias", "update_model_version"),
    ):
        target = "2" if before == "1" else "1"
        client.set_registered_model_alias(NAME, "challenger", target)
        lines = len(decisions.read_decisions())
        original = getattr(MlflowClient, name)

        def killed(self, *arguments, original=original, **named):
            if answered:
                original(self, *arguments, **named)
            raise OSError("killed")

        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, name, killed)
            with pytest.raises(TrackingError, match="run the same command again"):
                actions.promote(f"{NAME}/{target}", "why")
        assert aliases()["champion"] in (before, target)
        actions.promote(f"{NAME}/{target}", "why")
        assert aliases() == {"champion": target}
        [line] = decisions.read_decisions()[lines:]
        assert (line["version"], line["previous_version"]) == (target, before)
        assert json.loads(version(before).tags[SET_ASIDE]) == line
        before = target


def test_a_kill_before_the_record_is_written_is_made_good(two, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(decisions, "append", lambda decision: 1 / 0)
        with pytest.raises(TrackingError):
            actions.promote(f"{NAME}/2", "why")
    assert decisions.read_decisions() == []
    actions.promote(f"{NAME}/2", "why")
    actions.promote(f"{NAME}/2", "why")
    assert len(decisions.read_decisions()) == 1


def test_a_registration_killed_at_any_call_leaves_a_champion_that_is_old_or_new(
    register_stage, monkeypatch
):
    from mlflow import MlflowClient

    register_stage()
    for seed, (owner, name) in enumerate(
        (
            (SqliteBooks, "begin"),
            (SqliteBooks, "log"),
            (MlflowClient, "create_model_version"),
            (MlflowClient, "update_model_version"),
            (MlflowClient, "set_registered_model_alias"),
            (MlflowClient, "log_artifact"),
        ),
        start=1,
    ):
        better = (2.0 - 0.3 * seed, 1.9 - 0.3 * seed, 2.1 - 0.3 * seed)
        before = aliases()["champion"]
        with monkeypatch.context() as patch:
            original = getattr(owner, name)

            def killed(self, *arguments, original=original, **named):
                original(self, *arguments, **named)
                raise OSError("killed")

            patch.setattr(owner, name, killed)
            with pytest.raises(TrackingError, match="killed"):
                register_stage(seed=seed, fid=better)
        held = connect(resolve()).search_model_versions(f"name = '{NAME}'")
        newest = str(max(int(v.version) for v in held))
        assert aliases()["champion"] in (before, newest)
        assert register_stage(seed=seed, fid=better)["decision"] == "champion", name
        assert aliases() == {"champion": str(seed + 1)}
    client = connect(resolve())
    place = client.get_experiment_by_name("digits").experiment_id
    digests = [m.tags["genline.model_digest"] for m in client.search_logged_models([place])]
    assert len(digests) == len(set(digests)) == 7


def test_concurrent_registrations_wait_for_each_other(register_stage, tiny_model, evaluation):
    """Two processes with two better models: one version each, and the better one is champion."""
    register_stage()
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from genline.core.files import read_json\n"
        "from genline.tracking.config import Register\n"
        "from genline.tracking.registry import promote\n"
        "evaluation = read_json(sys.argv[1] + '.json')\n"
        "promote(evaluation, Path('reports/items/tiny-vae.csv'), Path(sys.argv[1]),\n"
        "        Register(metric='fid', margin=0.0))\n"
    )
    from genline.core.files import write_json

    for name, seed, fid in (("one", 5, BETTER), ("two", 6, (0.5, 0.4, 0.6))):
        write_json(f"{name}.json", evaluation(model=tiny_model(Path(name), seed), fid=fid))
    processes = [
        subprocess.Popen([sys.executable, "-c", script, name], stderr=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    said = [p.communicate(timeout=120)[1] for p in processes]
    assert [p.returncode for p in processes] == [0, 0], said
    client = connect(resolve())
    assert len(client.search_model_versions(f"name = '{NAME}'")) == 3
    champion = client.get_model_version_by_alias(NAME, "champion")
    assert json.loads(champion.tags["genline.record"])["metrics"]["fid"]["value"] == 0.5


def test_a_held_lock_is_one_line_after_a_bounded_wait(two, monkeypatch):
    monkeypatch.setattr(locking, "PATIENCE", 0.2)
    with FileLock(f"{resolve().database}.{NAME}.lock"), pytest.raises(TrackingError) as caught:
        actions.promote(f"{NAME}/2", "why")
    assert "by another process" in str(caught.value)


def test_an_unknown_model_is_one_line_with_the_nearest_names(two):
    for model, message in (
        ("tiny-va@champion", "no registered model 'tiny-va'; did you mean 'tiny-vae'"),
        (f"{NAME}@challanger", "no alias 'challanger' of tiny-vae; did you mean 'challenger'"),
        (f"{NAME}/7", "no version '7' of tiny-vae; known: tiny-vae/1, tiny-vae/2"),
        ("0" * 32, "no run"),
        (f"models/{NAME}", "a folder is no version"),
    ):
        with pytest.raises(ModelError, match=message) as caught:
            actions.promote(model, "why")
        assert "\n" not in str(caught.value)
    assert aliases() == {"champion": "1", "challenger": "2"}


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_without_a_reason_nothing_is_done(project, reason):
    from genline.stages.promote import run

    with pytest.raises(ModelError, match="--reason"):
        run(f"{NAME}/2", reason)


def test_a_damaged_record_is_named_by_its_line(project):
    write_text(decisions.FILE, '{"experiment": "x"}\n')
    with pytest.raises(DataError, match=r"decisions\.jsonl, line 1: no 'action'"):
        decisions.read_decisions()


def test_without_books_the_way_to_them_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GenlineError, match="genline sync"):
        actions.promote(f"{NAME}/2", "why")
    assert not any(tmp_path.iterdir())


def test_who_decided_is_git_s_name_for_them(monkeypatch, tmp_path):
    write_text(tmp_path / "config", "[user]\n\tname = Ann Other\n\temail = ann@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    assert decisions.who() == "Ann Other <ann@example.org>"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("LOGNAME", "ann")
    assert decisions.who() == "ann"


def test_a_line_is_added_after_one_that_an_editor_left_open(project):
    keys = ("experiment", "action", "model", "previous", "seen", "who", "when", "reason")
    first, second = (dict.fromkeys(keys, word) for word in ("one", "two"))
    write_text(decisions.FILE, json.dumps(first))
    decisions.append(second)
    assert decisions.read_decisions() == [first, second]
