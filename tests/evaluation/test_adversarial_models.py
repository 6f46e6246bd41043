"""Judging GANs and hybrids: their training's curve, and reconstructions without a likelihood."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from judged_digits import EVALUATOR, Digits

from genline.core.errors import DataError
from genline.core.params import Section
from genline.models import image_gan, image_hybrid
from genline.models.image_gan.config import Model as Gan
from genline.models.image_hybrid.config import Model as Hybrid
from genline.models.initialisation import seeded
from genline.models.store import save_model
from genline.stages import evaluate
from genline.tracking import runs

ROOT = Path(__file__).parents[2]
EVALUATE = {"draws": 5, "shown": 20, "health": {"discriminator_accuracy": 0.9}}
FAMILIES: dict[str, tuple[Any, Section]] = {
    "image_gan": (image_gan, Gan(network="mlp", latent=2, width=8, layers=1)),
    "image_hybrid": (image_hybrid, Hybrid(network="mlp", latent=2, width=8, layers=1)),
}


@pytest.fixture(params=sorted(FAMILIES))
def project(
    request: pytest.FixtureRequest,
    digits: Digits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """An experiment called as its family, trained as a curve says, with weights as drawn."""
    family: str = request.param
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "evaluated_run", lambda *call: None)
    shutil.copytree(digits.data.folder, "data/prepared/digits")
    shutil.copytree(digits.folder, "models/evaluators/digits")
    params = {
        "seed": 1,
        "runtime": {"device": "cpu", "threads": 1, "precision": "32-true"},
        "datasets": {"digits": {"evaluator": EVALUATOR.model_dump()}},
        "experiments": {family: {"dataset": "digits", "family": family, "evaluate": EVALUATE}},
    }
    Path("params.yaml").write_text(yaml.safe_dump(params))
    module, section = FAMILIES[family]
    with seeded(0):
        weights = module.build(section, digits.data.spec).state_dict()
    save_model(f"models/{family}", family, section, digits.data.spec, weights)
    Path("reports/training").mkdir(parents=True)
    Path(f"reports/training/{family}.csv").write_text(
        "step,loss,generator_gradient,discriminator_accuracy\n1,1,0.5,0.6\n2,1,0.4,0.95\n"
    )
    return family


def test_an_adversarial_model_is_judged_by_its_training_too(project: str) -> None:
    evaluate.run(project)
    record = json.loads(Path(f"reports/evaluation/{project}.json").read_text())
    assert not record["health"]["discriminator"]["passed"]
    assert (
        "right for 95.0% at the end (at most 90.0%)" in record["health"]["discriminator"]["reason"]
    )
    assert record["health"]["gradients"]["passed"]
    names = {p.name for p in Path(f"reports/samples/{project}").iterdir()}
    hybrid = project == "image_hybrid"
    assert ("reconstructions.png" in names) == hybrid
    assert ("reconstruction_error" in record["metrics"]) == hybrid
    if hybrid:
        error = record["metrics"]["reconstruction_error"]
        assert 0.1 < error["value"] < 1  # weights as drawn give much the same grey everywhere
        assert error["count"] == 300


def test_a_training_without_its_curve_is_not_judged(project: str) -> None:
    Path(f"reports/training/{project}.csv").unlink()
    with pytest.raises(DataError, match="no such file; run `dvc repro`"):
        evaluate.run(project)
