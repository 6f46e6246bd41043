from __future__ import annotations

import json
from pathlib import Path

import pytest

from genline.core.errors import DataError
from genline.core.files import write_json, write_text
from genline.stages.summary import run
from genline.tracking.standing import Held


def write(experiment, value, decision="champion", passed=True):
    metric = {
        "title": "FID",
        "value": value,
        "standard_error": 0.1 / 1.96,
        "low": value - 0.1,
        "high": value + 0.1,
        "floor": 0.512,
        "unit": "",
        "better": "lower",
    }
    record = {
        "experiment": experiment,
        "metrics": {"fid": metric},
        "health": {"mode_drop": {"passed": passed, "reason": "r"}},
    }
    write_json(f"reports/evaluation/{experiment}.json", record)
    write_json(
        f"reports/promotion/{experiment}.json",
        {
            "experiment": experiment,
            "decision": decision,
            "digests": {"model": f"{experiment} weights"},
        },
    )


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    write_text(
        "params.yaml",
        "datasets:\n  digits: {kind: image}\n"
        "experiments:\n  vae: {dataset: digits}\n  gan: {dataset: digits}\n",
    )


@pytest.fixture
def registry(monkeypatch):
    """A registry that holds what the records say of it; to be changed."""
    holds = {
        (experiment, alias): Held(f"{experiment} weights", version)
        for experiment in ("vae", "gan")
        for alias, version in (("champion", "1"), ("challenger", "2"))
    }
    monkeypatch.setattr(
        "genline.stages.summary.held",
        lambda wanted: {k: v for k, v in holds.items() if k in wanted},
    )
    return holds


def said(capsys):
    run()
    return capsys.readouterr().out.strip().splitlines()


def test_it_says_where_the_report_is_what_was_found_and_how_to_go_on(capsys, registry):
    write("vae", 2.0)
    write("gan", 1.0, "challenger")
    assert said(capsys)[0] == "Report: reports/index.html (not here yet: `make repro` writes it)"
    write_text("reports/index.html", "<html>")
    report, found, registry, ui = said(capsys)
    assert report == "Report: reports/index.html"
    assert found == (
        "  digits: gan wins, beyond noise (FID gan 1.00 [0.90, 1.10], vae 2.00 [1.90, 2.10]; "
        "floor 0.512)"
    )
    assert registry == (
        "  registry: champion: vae version 1; gan: version 2 not promoted, version 1 stays champion"
    )
    assert "make ui" in ui


def test_without_a_champion_none_is_said_to_stay(capsys, registry):
    write("vae", 2.0)
    write("gan", 1.0, "challenger", passed=False)
    del registry["gan", "champion"]
    assert said(capsys)[2].endswith("; gan: version 2 not promoted, there is no champion yet")


def test_a_difference_within_noise_has_no_winner(capsys):
    write("vae", 1.0)
    write("gan", 1.05)
    assert "vae and gan are level, within noise" in said(capsys)[1]


def test_an_unhealthy_model_cannot_win(capsys):
    write("vae", 2.0)
    write("gan", 1.0, "challenger", passed=False)
    assert "vae stands alone" in said(capsys)[1]
    assert "failed mode_drop" in said(capsys)[1]


@pytest.mark.parametrize("change", ["no alias", "another model"])
def test_a_registry_without_the_model_is_told_with_the_command_that_mends_it(
    capsys, registry, change
):
    write("vae", 1.0)
    write("gan", 1.05, "challenger")
    if change == "no alias":
        del registry["vae", "champion"]
    else:
        registry["vae", "champion"] = Held("other weights", "1")
    assert said(capsys)[2] == (
        "  registry: does not hold vae as the records say; register again: "
        "rm -rf reports/registered && make repro"
    )


@pytest.mark.parametrize(
    ("decision", "tags", "told"),
    [
        ("champion", {"genline.waits": "to be merged"}, "vae waits to be merged"),
        ("champion", {}, "vae was set aside on 2026-01-02 by A. B.: odd"),
        ("challenger", {}, "vae was promoted by a person"),
    ],
)
def test_what_waits_or_a_person_decided_is_told_and_no_way_round_it(
    capsys, registry, monkeypatch, decision, tags, told
):
    write("vae", 1.0, decision)
    write("gan", 1.05, "challenger")
    del registry["vae", decision]
    person = {"experiment": "vae", "action": "rollback", "seen": None, "who": "A. B."}
    person |= {"when": "2026-01-02T03:04:05.678+00:00", "reason": "odd"}
    other, mine = ("vae weights", "old") if decision == "champion" else ("old", "vae weights")
    person |= {"previous": other, "model": mine}
    if not tags:
        write_text("reports/decisions.jsonl", json.dumps(person) + "\n")
    monkeypatch.setattr(
        "genline.stages.summary.carried", lambda models: dict.fromkeys(models, tags)
    )
    said_of_it = said(capsys)[2]
    assert said_of_it.endswith(f"gan: version 2 not promoted, version 1 stays champion; {told}")
    assert "rm -r" not in said_of_it


def test_a_deleted_database_is_told_and_not_made_anew(capsys):
    write("vae", 1.0)
    write("gan", 1.05)
    assert "does not hold vae, gan as the records say" in said(capsys)[2]
    assert not Path("mlflow.db").exists()


@pytest.mark.parametrize("away", ["server", "database"])
def test_an_mlflow_that_is_away_is_told_and_is_no_failure(capsys, monkeypatch, away):
    write("vae", 1.0)
    write("gan", 1.05)
    if away == "server":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    else:
        Path("mlflow.db").write_text("not a database")
    assert said(capsys)[2].startswith("  registry: not looked at: MLflow")


def test_before_the_first_run_it_names_the_missing_file():
    with pytest.raises(DataError, match=r"reports/evaluation/vae\.json: no such file"):
        run()
    assert not Path("reports").exists()
