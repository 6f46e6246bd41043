"""The stages fit_evaluator and evaluate on images, from params.yaml to the files they write."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from judged_digits import EVALUATOR, Digits
from PIL import Image

from genline.core.errors import ModelError
from genline.core.files import digest_tree
from genline.data.prepared import ImageSpec
from genline.evaluation.config import EvaluateImages, ImageHealth
from genline.evaluation.text.config import EvaluateTexts
from genline.models.image_vae import build
from genline.models.image_vae.config import Model
from genline.models.initialisation import seeded
from genline.models.store import save_model
from genline.reporting import samples
from genline.stages import evaluate, fit_evaluator
from genline.tracking import runs

ROOT = Path(__file__).parents[2]
SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text())
VAE = Model(
    **SHIPPED["experiments"]["digits-vae"]["model"]
    | {"width": 4, "blocks": 0, "latent": 2, "gmm_components": [2]}
)
PARAMS = {
    "seed": 1,
    "runtime": {"device": "cpu", "threads": 1, "precision": "32-true"},
    "datasets": {"digits": {"evaluator": EVALUATOR.model_dump() | {"steps": 20}}},
    "experiments": {
        "vae": {"dataset": "digits", "evaluate": {"draws": 5, "importance_samples": 3, "shown": 20}}
    },
}


def save_untrained(spec: ImageSpec) -> None:
    with seeded(0):
        weights = build(VAE, spec).state_dict()
    save_model("models/vae", "image_vae", VAE, spec, weights)


@pytest.fixture
def project(digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(digits.data.folder, "data/prepared/digits")
    shutil.copytree(digits.folder, "models/evaluators/digits")
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS))
    shutil.copyfile(ROOT / "dvc.yaml", "dvc.yaml")
    Path("src").symlink_to(ROOT / "src")  # what the stages depend on
    save_untrained(digits.data.spec)
    return tmp_path


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], Path]]:
    """What evaluate hands to tracking, in place of an MLflow server."""
    calls: list[tuple[dict[str, Any], Path]] = []
    monkeypatch.setattr(runs, "evaluated_run", lambda *call: calls.append(call))
    return calls


def test_evaluate_writes_numbers_record_and_samples(
    project: Path, told: list[tuple[dict[str, Any], Path]]
):
    evaluate.run("vae")
    record = json.loads(Path("reports/evaluation/vae.json").read_text())
    numbers = json.loads(Path("reports/metrics/vae.json").read_text())
    assert told == [(record, Path("reports/samples/vae"))]
    assert {"fid", "fid_prior", "kid", "nll", "bits_per_dimension"} <= set(numbers)
    assert set(numbers) == set(record["metrics"])
    assert set(numbers["fid"]) == {"value", "low", "high", "floor", "count"}
    assert record["kind"] == "image" and record["family"] == "image_vae"
    assert all(len(digest) == 64 for digest in record["digests"].values())
    names = {p.name for p in Path("reports/samples/vae").iterdir()}
    assert names == {"samples.png", "samples_prior.png", "real.png", "reconstructions.png"}
    for name in names:
        with Image.open(Path("reports/samples/vae") / name) as picture:
            assert picture.width > picture.height  # ten columns, two rows


def test_samples_that_cannot_all_be_written_leave_the_last_ones(
    project: Path, told: list[tuple[dict[str, Any], Path]], monkeypatch: pytest.MonkeyPatch
):
    folder = Path("reports/samples/vae")
    folder.mkdir(parents=True)
    (folder / "samples.png").write_bytes(b"the last")
    written = samples.write_image_grid

    def full(path: Path, *arguments: Any) -> None:
        if path.name == "real.png":
            raise OSError(28, "No space left on device", str(path))
        written(path, *arguments)

    monkeypatch.setattr(samples, "write_image_grid", full)
    with pytest.raises(OSError, match="No space"):
        evaluate.run("vae")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"samples.png": b"the last"}


def test_evaluate_writes_the_likelihood_of_every_test_image(
    project: Path, told: list[tuple[dict[str, Any], Path]]
):
    evaluate.run("vae")
    header, *rows = Path("reports/items/vae.csv").read_text().splitlines()
    assert header == "item,dimensions,nll,elbo"
    assert [row.split(",")[:2] for row in rows] == [[str(i), "64"] for i in range(300)]
    mean = np.mean([float(row.split(",")[2]) for row in rows])
    assert mean == pytest.approx(told[0][0]["metrics"]["nll"]["value"])


def test_only_how_figures_are_measured_makes_the_protocol():
    first = evaluate.protocol(EvaluateImages(draws=5))
    same = EvaluateImages(draws=5, shown=10, health=ImageHealth(kl=0.5), most=10_000)
    assert evaluate.protocol(same) == first  # 10,000 is the default
    for other in ({"draws": 6}, {"importance_samples": 4}, {"most": 100}):
        assert evaluate.protocol(EvaluateImages(**{"draws": 5} | other)) != first
    texts = [EvaluateTexts(samples=count) for count in (3000, 2000)]
    assert evaluate.protocol(texts[0]) != evaluate.protocol(texts[1])


def test_other_code_of_the_metrics_is_another_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = shutil.copytree(ROOT / "src/genline", tmp_path / "genline")
    params, installed = EvaluateImages(), evaluate.protocol(EvaluateImages())
    monkeypatch.setattr("genline.__file__", str(package / "__init__.py"))
    assert evaluate.protocol(params) == installed  # wherever it stands
    (package / "reporting/samples.py").write_text("# decides no figure\n")
    assert evaluate.protocol(params) == installed
    for part in ("evaluation/frechet.py", "models/evaluators/classifier.py"):
        before = evaluate.protocol(params)
        with (package / part).open("a") as file:
            file.write("# changed\n")
        assert evaluate.protocol(params) != before


def test_free_bits_of_every_dimension_are_told_beside_the_kl(
    project: Path, told: list[tuple[dict[str, Any], Path]]
):
    experiment = PARAMS["experiments"]["vae"] | {"train": {"free_bits": 0.25}}
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS | {"experiments": {"vae": experiment}}))
    evaluate.run("vae")
    reason = told[0][0]["health"]["posterior_collapse"]["reason"]
    assert "training let 0.5 cost nothing" in reason  # of two dimensions


def test_an_untrained_model_is_recorded_and_fails_its_checks(
    project: Path, told: list[tuple[dict[str, Any], Path]], capsys: pytest.CaptureFixture[str]
):
    evaluate.run("vae")
    health = told[0][0]["health"]
    assert not health["mode_drop"]["passed"]
    assert "health checks failed" in capsys.readouterr().out


def test_evaluating_twice_writes_the_same_bytes_and_leaves_nothing_stale(
    project: Path, told: list[tuple[dict[str, Any], Path]]
):
    evaluate.run("vae")
    before = digest_tree(["reports"])
    Path("reports/samples/vae/samples_old.png").write_bytes(b"of a sampler that is no more")
    evaluate.run("vae")
    assert digest_tree(["reports"]) == before


def test_a_model_of_other_images_is_refused_and_earlier_reports_stay(
    project: Path, told: list[tuple[dict[str, Any], Path]]
):
    evaluate.run("vae")
    before = digest_tree(["reports"])
    save_untrained(ImageSpec(channels=1, height=16, width=8, levels=17, classes=10))
    with pytest.raises(ModelError, match=r"models/vae: made for .*height=16.*run `dvc repro`"):
        evaluate.run("vae")
    assert digest_tree(["reports"]) == before


def test_fitting_twice_gives_the_same_bytes_and_leaves_no_checkpoint(project: Path):
    digests = []
    for _ in range(2):
        shutil.rmtree("models/evaluators")
        fit_evaluator.run("digits")
        digests.append(digest_tree(["models/evaluators"]))
    assert digests[0] == digests[1]
    names = {p.name for p in Path("models/evaluators/digits").iterdir()}
    assert names == {"config.json", "evaluator.safetensors", "evaluator.json"}
    assert not list(Path(".genline").rglob("*.pt"))


def test_the_judge_sees_no_test_image_while_it_is_fitted(project: Path):
    fit_evaluator.run("digits")
    weights = Path("models/evaluators/digits/evaluator.safetensors").read_bytes()
    images = np.load("data/prepared/digits/test_images.npy")
    np.save("data/prepared/digits/test_images.npy", images[:, :, ::-1])
    fit_evaluator.run("digits")
    assert Path("models/evaluators/digits/evaluator.safetensors").read_bytes() == weights


@pytest.fixture(autouse=True)
def torch_as_it_was():
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)
