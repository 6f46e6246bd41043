from __future__ import annotations

import json
from pathlib import Path

import pytest

from genline.core.errors import ModelError
from genline.core.files import digest_file, write_text
from genline.stages import register as stage
from genline.tracking.store import connect, resolve

NAME = "tiny-vae"
ITEMS = "item,dimensions,nll\n0,64,10.0\n1,64,12.0\n"
OTHER = {"data": "c" * 64, "evaluator": "f" * 64, "protocol": "q" * 64}


@pytest.fixture
def asked(monkeypatch, evaluation):
    """Replaces the judge: ``asked.append`` gets each model's digest; figures as set."""
    calls: list[str] = []
    given = {"fid": (2.0, 1.9, 2.1), "digests": OTHER, "error": None}

    def rescoring(experiment):
        assert experiment == NAME

        def rescore(folder, scratch):
            calls.append(digest_file(folder / "model.safetensors"))
            assert (folder / "config.json").is_file()
            if given["error"]:
                raise given["error"]
            write_text(scratch / "items.csv", ITEMS)
            record = evaluation(model=calls[-1], fid=given["fid"], **given["digests"])
            return record, scratch / "items.csv"

        return rescore

    monkeypatch.setattr(stage, "rescoring", rescoring)
    return calls, given


def champion():
    return connect(resolve()).get_model_version_by_alias(NAME, "champion")


def test_under_the_same_digests_nothing_is_scored_again(register_stage, asked):
    register_stage()
    register_stage(seed=1, fid=(1.0, 0.9, 1.1))
    assert asked[0] == []


@pytest.mark.parametrize("kind", ["data", "evaluator", "protocol"])
def test_a_champion_of_other_evidence_is_scored_again_and_then_compared(
    register_stage, asked, kind
):
    calls, given = asked
    register_stage()
    first = champion()
    given["digests"] = {kind: OTHER[kind]}
    promotion = register_stage(seed=1, fid=(1.0, 0.9, 1.1), **given["digests"])
    assert calls == [first.tags["genline.model_digest"]]
    assert promotion["decision"] == "champion"
    assert promotion["champion"] == {"value": 2.0, "low": 1.9, "high": 2.1}
    assert promotion["against"] == first.tags["genline.model_digest"]


def test_the_new_figures_decide_and_not_the_old(register_stage, asked):
    """On the old data the champion was worse; on the new it is better than the candidate."""
    _, given = asked
    register_stage()
    given["fid"] = (0.5, 0.4, 0.6)
    promotion = register_stage(seed=1, fid=(1.0, 0.9, 1.1), **OTHER)
    assert promotion["decision"] == "challenger"
    assert promotion["reason"].startswith("worse")
    assert champion().version in (1, "1")


def split(project, way):
    text = (project / "params.yaml").read_text()
    before = "hash" if "split: hash" in text else "shuffle"
    write_text(project / "params.yaml", text.replace(f"split: {before}", f"split: {way}"))


def test_a_champion_that_learned_from_shuffled_test_items_is_not_scored_again(
    register_stage, asked, project
):
    split(project, "shuffle")
    register_stage()
    promotion = register_stage(seed=1, fid=(1.0, 0.9, 1.1), **OTHER)
    assert asked[0] == []
    assert promotion["decision"] == "challenger"
    assert promotion["reason"] == (
        "not comparable: with split shuffle the champion has learned from some of these test "
        "items; set datasets.digits.prepare.split to hash, given or time, or promote by hand"
    )


def test_with_a_shuffle_another_judge_of_the_same_items_still_scores_the_champion(
    register_stage, asked, project
):
    calls, given = asked
    split(project, "shuffle")
    register_stage()
    given["digests"] = {"evaluator": OTHER["evaluator"]}
    promotion = register_stage(seed=1, fid=(1.0, 0.9, 1.1), **given["digests"])
    assert len(calls) == 1
    assert promotion["decision"] == "champion"


def test_a_champion_of_another_split_has_learned_from_test_items_of_the_new_one(
    register_stage, asked, project
):
    split(project, "shuffle")
    register_stage()
    split(project, "hash")
    promotion = register_stage(seed=1, fid=(1.0, 0.9, 1.1), **OTHER)
    assert asked[0] == []
    assert "split by shuffle" in promotion["reason"]


def test_what_was_found_is_kept_and_a_next_candidate_costs_no_scoring(register_stage, asked):
    calls, given = asked
    register_stage()
    given["fid"] = (0.5, 0.4, 0.6)
    register_stage(seed=1, fid=(1.0, 0.9, 1.1), **OTHER)
    register_stage(seed=2, fid=(0.9, 0.8, 1.0), **OTHER)
    assert len(calls) == 1
    kept = json.loads(champion().tags["genline.record"])
    assert kept["metrics"]["fid"]["value"] == 0.5
    assert kept["digests"]["data"] == OTHER["data"]


def test_a_champion_that_cannot_be_scored_stays_and_both_are_said(register_stage, asked, capsys):
    _, given = asked
    register_stage()
    given["error"] = ModelError("made for 8×8 images, but the data holds 16×16")
    promotion = register_stage(seed=1, fid=(1.0, 0.9, 1.1), **OTHER)
    assert promotion["decision"] == "challenger"
    assert "not comparable" in promotion["reason"]
    said = capsys.readouterr().err
    assert "cannot be scored again (made for 8×8 images" in said
    assert said.count("\n") == 1


def test_a_champion_whose_weights_are_damaged_in_the_registry_is_not_compared(
    register_stage, asked, capsys, project
):
    calls, _ = asked
    register_stage()
    [weights] = (project / "mlartifacts").rglob("model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    assert register_stage(seed=1, fid=(1.0, 0.9, 1.1), **OTHER)["decision"] == "challenger"
    assert calls == []
    assert "in the registry is damaged" in capsys.readouterr().err


def test_a_champion_whose_files_are_gone_is_not_compared(register_stage, asked, capsys, project):
    import shutil

    register_stage()
    shutil.rmtree(project / "mlartifacts")
    assert register_stage(seed=1, fid=(1.0, 0.9, 1.1), **OTHER)["decision"] == "challenger"
    assert "its files cannot be had" in capsys.readouterr().err


def test_the_stage_scores_with_the_judge_of_evaluate(project, monkeypatch):
    from genline.evaluation.record import Evaluation, Findings
    from genline.stages import evaluate
    from genline.stages.rescore import rescoring

    asked: list[tuple[object, ...]] = []

    def judge(experiment, folder, samples, respelled=False):
        asked.append((experiment, folder, samples, respelled))
        return Evaluation(experiment, "digits", "image_gan", "image", {}, Findings({}, {}))

    monkeypatch.setattr(evaluate, "judge", judge)
    record, items = rescoring(NAME)(Path("a-model"), Path("scratch"))
    assert asked == [(NAME, Path("a-model"), None, True)]
    assert record["family"] == "image_gan"
    assert items is None
