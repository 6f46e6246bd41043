from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genline.core.errors import DataError, ModelError, ParamsError, TrackingError
from genline.core.files import write_text
from genline.tracking.store import connect, resolve

BETTER, WORSE = (1.0, 0.9, 1.1), (3.0, 2.9, 3.1)


def versions():
    return connect(resolve()).search_model_versions("name = 'tiny-vae'")


def alias(name):
    found = connect(resolve()).get_registered_model("tiny-vae").aliases.get(name)
    return None if found is None else str(found)


def test_the_first_healthy_version_becomes_champion(register_stage):
    promotion = register_stage()
    assert promotion["decision"] == "champion"
    assert promotion["candidate"] == {"value": 2.0, "low": 1.9, "high": 2.1}
    assert promotion["champion"] is None
    assert (alias("champion"), alias("challenger")) == ("1", None)


def test_an_unhealthy_first_version_is_a_challenger_and_there_is_no_champion(register_stage):
    promotion = register_stage(failed="mode_drop")
    assert promotion["decision"] == "challenger"
    assert "mode_drop: a figure too low" in promotion["reason"]
    assert (alias("champion"), alias("challenger")) == (None, "1")
    assert register_stage(seed=1)["decision"] == "champion"
    assert (alias("champion"), alias("challenger")) == ("2", "1")


def test_a_better_version_takes_the_alias_over(register_stage):
    register_stage()
    promotion = register_stage(seed=1, fid=BETTER)
    assert promotion["decision"] == "champion"
    assert promotion["champion"] == {"value": 2.0, "low": 1.9, "high": 2.1}
    assert (alias("champion"), alias("challenger")) == ("2", None)


def test_a_worse_version_is_kept_and_not_promoted(register_stage):
    register_stage()
    promotion = register_stage(seed=1, fid=WORSE)
    assert promotion["decision"] == "challenger"
    assert promotion["reason"].startswith("worse, so not promoted")
    assert (alias("champion"), alias("challenger")) == ("1", "2")
    kept = {str(v.version): v.tags["genline.decision"] for v in versions()}
    assert kept == {"1": "champion", "2": "challenger"}


def test_registering_twice_makes_one_version_and_the_same_bytes(register_stage):
    register_stage()
    first = Path("reports/promotion/tiny-vae.json").read_bytes()
    register_stage()
    assert len(versions()) == 1
    assert Path("reports/promotion/tiny-vae.json").read_bytes() == first


def test_a_rejected_model_registered_again_is_still_rejected_and_one_version(register_stage):
    register_stage()
    first = register_stage(seed=1, fid=WORSE)
    assert register_stage(seed=1, fid=WORSE) == first
    assert len(versions()) == 2
    assert (alias("champion"), alias("challenger")) == ("1", "2")


def test_a_champion_scored_again_is_what_the_next_candidate_is_compared_with(register_stage):
    register_stage()
    rejected = register_stage(seed=1, fid=BETTER, evaluator="f" * 64)
    assert rejected["decision"] == "challenger"
    assert "not comparable" in rejected["reason"]
    again = register_stage(seed=0, fid=WORSE, evaluator="f" * 64)
    assert again["decision"] == "champion"
    assert again["reason"].startswith("already champion")
    assert register_stage(seed=1, fid=BETTER, evaluator="f" * 64)["decision"] == "champion"
    assert alias("champion") == "2"


def test_the_champion_alias_is_never_absent_and_moves_last(register_stage, monkeypatch):
    from mlflow import MlflowClient

    register_stage()
    calls = []
    for method in ("set_model_version_tag", "update_model_version", "set_registered_model_alias"):
        original = getattr(MlflowClient, method)

        def spy(self, *arguments, original=original, method=method, **named):
            calls.append((method, *arguments[:2]))
            return original(self, *arguments, **named)

        monkeypatch.setattr(MlflowClient, method, spy)
    deleted = []
    monkeypatch.setattr(
        MlflowClient, "delete_registered_model_alias", lambda *a: deleted.append(a[-1])
    )
    register_stage(seed=1, fid=BETTER)
    assert calls[-1] == ("set_registered_model_alias", "tiny-vae", "champion")
    assert "champion" not in deleted


def test_a_registration_cut_short_is_completed_by_the_next(register_stage, monkeypatch):
    from mlflow import MlflowClient

    with monkeypatch.context() as patch:

        def fail(*arguments, **named):
            raise OSError("No space left on device")

        patch.setattr(MlflowClient, "set_registered_model_alias", fail)
        with pytest.raises(TrackingError, match="No space left") as caught:
            register_stage()
    assert "\n" not in str(caught.value)
    assert register_stage()["decision"] == "champion"
    assert len(versions()) == 1
    assert alias("champion") == "1"


def test_the_version_carries_card_record_and_links(register_stage):
    register_stage()
    [version] = versions()
    assert "# tiny-vae" in version.description
    assert "| FID (`fid`) | 2 | 1.9 to 2.1 | 0.5 | 540 | lower |" in version.description
    assert "KL \\| a \\<digit>" in version.description
    assert 'load_model("models:/tiny-vae/1")' in version.description
    assert json.loads(version.tags["genline.record"])["metrics"]["fid"]["value"] == 2.0
    run = connect(resolve()).get_run(version.run_id)
    assert run.info.run_name == f"tiny-vae {version.tags['genline.model_digest'][:6]}"
    assert run.data.tags["genline.model_digest"] == version.tags["genline.model_digest"]


def test_the_champion_gives_samples_in_a_fresh_process_elsewhere(register_stage, tmp_path):
    register_stage()
    script = (
        "import mlflow, pandas as pd\n"
        "m = mlflow.pyfunc.load_model('models:/tiny-vae@champion')\n"
        "asked = pd.DataFrame({'n': [2, 1], 'seed': [5, 5], 'variant': ['prior', None]})\n"
        "print(m.predict(asked).to_json())\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", script],
        cwd=elsewhere,
        env={**os.environ, "MLFLOW_TRACKING_URI": resolve().uri},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    given = json.loads(done.stdout.splitlines()[-1])
    assert list(given["request"].values()) == [0, 0, 1]

    from PIL import Image

    from genline.models.sampling import draw_images
    from genline.models.store import load_model

    picture = Image.open(io.BytesIO(base64.b64decode(given["image"]["1"])))
    drawn = draw_images(load_model("models/tiny-vae"), 2, 5, "prior")[1, 0]
    assert np.array_equal(np.asarray(picture), np.rint(drawn * (255 / 16)))


def test_a_request_the_model_cannot_answer_is_named(register_stage):
    import mlflow
    import pandas as pd
    from mlflow.exceptions import MlflowException

    register_stage()
    model = mlflow.pyfunc.load_model("models:/tiny-vae@champion")
    good = {"n": 1, "seed": 0}
    for wrong, message in (
        ({"n": 0}, "request 1: 0 samples asked for"),
        ({"variant": "pior"}, "did you mean 'prior'"),
        ({"temperature": 0.5}, "it is for texts"),
    ):
        with pytest.raises(MlflowException, match=message):
            model.predict(pd.DataFrame([good, good | wrong]))


def test_the_logged_model_holds_no_pickle_and_exact_requirements(register_stage, project):
    register_stage()
    names = {p.name for p in (project / "mlartifacts").rglob("*")}
    assert "model.safetensors" in names
    assert not [n for n in names if n.endswith((".pkl", ".pickle", ".pt", ".pth", ".pyc"))]
    [requirements] = (project / "mlartifacts").rglob("requirements.txt")
    lines = requirements.read_text().split()
    assert all("==" in line and "+" not in line for line in lines)
    assert "torch==2.13.0" in lines


def test_weights_that_were_not_evaluated_are_refused(register_stage, project, tiny_model):
    from genline.stages.register import run

    register_stage()
    tiny_model(project / "models/tiny-vae", seed=9)
    with pytest.raises(ModelError, match=r"model\.safetensors: not the weights"):
        run("tiny-vae")
    assert len(versions()) == 1


def test_a_metric_that_was_not_evaluated_is_refused_before_anything_is_registered(
    register_stage, project
):
    write_text(project / "params.yaml", "experiments:\n  tiny-vae:\n    register: {metric: fidd}\n")
    with pytest.raises(ParamsError, match="did you mean 'fid'"):
        register_stage()
    assert not versions()


def test_a_champion_from_elsewhere_is_not_overthrown(register_stage):
    register_stage()
    client = connect(resolve())
    client.delete_model_version_tag("tiny-vae", "1", "genline.record")
    client.delete_model_version_tag("tiny-vae", "1", "genline.model_digest")
    with pytest.raises(TrackingError, match="was not registered by genline"):
        register_stage(seed=1, fid=BETTER)
    assert alias("champion") == "1"


def test_an_absent_server_stops_register_in_one_line(register_stage, project, monkeypatch):
    register_stage()
    before = Path("reports/promotion/tiny-vae.json").read_bytes()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    from genline.stages.register import run

    with pytest.raises(TrackingError) as caught:
        run("tiny-vae")
    message = str(caught.value)
    assert "http://127.0.0.1:9" in message
    assert "unset MLFLOW_TRACKING_URI" in message
    assert "dvc repro" in message
    assert Path("reports/promotion/tiny-vae.json").read_bytes() == before


BY_LIKELIHOOD = "experiments:\n  tiny-vae:\n    register: {metric: nll}\n"


def test_a_candidate_is_paired_with_the_items_that_the_champion_was_registered_with(
    register_stage, project
):
    write_text(project / "params.yaml", BY_LIKELIHOOD)
    register_stage(nats=1.0)
    # Half a nat in forty, where images differ by tens: no unpaired test would see it.
    promotion = register_stage(seed=1, nats=0.5)
    assert promotion["decision"] == "champion"
    assert "paired over 500 test items" in promotion["reason"]
    assert register_stage(seed=2, nats=0.6)["decision"] == "challenger"


def test_a_champion_scored_again_is_paired_by_its_new_items(register_stage, project):
    write_text(project / "params.yaml", BY_LIKELIHOOD)
    register_stage(nats=1.0)
    assert register_stage(nats=0.0)["reason"].startswith("already champion")
    assert register_stage(seed=1, nats=0.5)["decision"] == "challenger"


def test_a_champion_whose_items_are_gone_is_not_compared(register_stage, project):
    write_text(project / "params.yaml", BY_LIKELIHOOD)
    register_stage(nats=1.0)
    [kept] = (project / "mlartifacts").rglob("items/*.csv")
    kept.unlink()
    promotion = register_stage(seed=1, nats=0.5)
    assert promotion["decision"] == "challenger"
    assert promotion["reason"].startswith("not comparable: one side has no nll item by item")


def test_missing_items_stop_register_before_anything_is_registered(register_stage, project):
    from genline.stages.register import run

    register_stage()
    (project / "reports/items/tiny-vae.csv").unlink()
    with pytest.raises(DataError, match=r"tiny-vae\.csv: cannot be read .*run `dvc repro`"):
        run("tiny-vae")
    assert len(versions()) == 1


@pytest.mark.parametrize(("fid", "number"), [((1.7, 1.6, 1.8), "2"), (BETTER, "3")])
def test_of_two_that_replaced_the_same_champion_at_once_the_better_stays(
    register_stage, monkeypatch, fid, number
):
    """The other machine's version was made after this one's first look at the registry."""
    from genline.tracking import registry, superseding

    register_stage()
    register_stage(seed=1, fid=(1.5, 1.4, 1.6))
    connect(resolve()).set_registered_model_alias("tiny-vae", "champion", "1")

    def without_it(client, name):
        return [v for v in superseding.versions(client, name) if str(v.version) != "2"]

    monkeypatch.setattr(registry, "versions", without_it)
    promotion = register_stage(seed=2, fid=fid)
    assert promotion["champion"]["value"] == 1.5
    assert alias("champion") == number


def test_a_half_made_model_is_another_machines_until_it_is_old(register_stage, monkeypatch):
    from genline.tracking import packaging

    register_stage()
    client = connect(resolve())
    place = client.get_experiment_by_name("digits").experiment_id
    [made] = versions()
    digest = made.tags["genline.model_digest"]
    half = client.create_logged_model(
        place, "half", source_run_id=made.run_id, tags={"genline.model_digest": digest}
    )
    for seconds, kept in ((600.0, True), (-1.0, False)):
        monkeypatch.setattr(packaging, "_LOGGING_SECONDS", seconds)
        assert packaging.logged(client, place, made.run_id, digest) is not None
        found = {m.model_id for m in client.search_logged_models([place])}
        assert (half.model_id in found) == kept


def test_a_champion_that_another_machine_made_meanwhile_is_the_one_to_beat(
    register_stage, monkeypatch
):
    from genline.tracking import registry

    register_stage()
    register_stage(seed=1, fid=(1.5, 1.4, 1.6))
    client = connect(resolve())
    client.set_registered_model_alias("tiny-vae", "champion", "1")
    create = registry.create_version

    def beaten_to_it(*arguments):
        made = create(*arguments)
        client.set_registered_model_alias("tiny-vae", "champion", "2")
        return made

    monkeypatch.setattr(registry, "create_version", beaten_to_it)
    promotion = register_stage(seed=2, fid=(1.7, 1.6, 1.8))  # better than the first alone
    assert promotion["decision"] == "challenger"
    assert promotion["champion"]["value"] == 1.5
    assert (alias("champion"), alias("challenger")) == ("2", "3")
