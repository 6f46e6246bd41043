"""Text GANs that cannot be trained are refused before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from genline import parameters
from genline.core.errors import ParamsError

ROOT = Path(__file__).parents[2]


def check(model: dict[str, Any], train: dict[str, Any], judge: dict[str, Any], metric: str) -> None:
    """params.yaml as it stands, the docstrings GAN changed in these keys."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    entry = params["experiments"]["docstrings-gan"]
    entry["model"] |= model
    entry["train"] |= train
    entry["train"]["discriminator"] |= judge
    entry["register"]["metric"] = metric
    params["experiments"] = {"docstrings-gan": entry}
    params["datasets"] = {"docstrings": params["datasets"]["docstrings"]}
    suite = Path(params["datasets"]["docstrings"]["validate"]["suite"])
    suite.parent.mkdir(parents=True)
    suite.write_text("expectations: []\n")
    Path("params.yaml").write_text(yaml.safe_dump(params))
    parameters.check()


@pytest.mark.parametrize(
    ("model", "train", "judge", "metric", "said"),
    [
        ({"network": "recurrent"}, {}, {}, "", "latent is 0.*use 8 or more"),
        ({"network": "mlp"}, {}, {}, "", "latent is 0.*network lstm"),
        ({"latent": 8}, {}, {}, "", "lstm reads no noise.*leave it out"),
        ({"network": "transformer", "attention": True}, {}, {}, "", "made of it; leave it out"),
        ({"network": "mlp", "latent": 8, "layers": 2}, {}, {}, "", "layers is 2.*widen hidden"),
        ({"heads": 2}, {}, {}, "", "heads is 2, which only network transformer has"),
        ({"network": "transformer", "heads": 3}, {}, {}, "", "3 heads cannot share.*as 255"),
        ({}, {}, {"network": "conv"}, "", "discount is 0.9.*whole texts.*use discount: 1.0"),
        ({}, {}, {"network": "transformer"}, "", "discount is 0.9"),
        ({}, {}, {"network": "conv", "layers": 2}, "", "layers is 2.*add widths"),
        ({}, {"discount": 1.0}, {"network": "transformer", "heads": 3}, "", "heads is 3.*256"),
        ({}, {"adversarial_weight": 0.0, "likelihood_weight": 0.0}, {}, "", "are both 0"),
        ({}, {"objective": "feature_matching", "batch": 1}, {}, "", "batch is 1.*16 or more"),
        ({"network": "recurrent", "latent": 8}, {}, {}, "perplexity", "metric is 'perplexity'"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_what_can(
    model: dict[str, Any],
    train: dict[str, Any],
    judge: dict[str, Any],
    metric: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError, match=said) as error:
        check(model, train, judge, metric or "frechet_embedding_distance")
    assert "docstrings-gan" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "train", "judge"),
    [
        ({}, {"discount": 1.0}, {"network": "conv"}),
        ({}, {"objective": "gumbel"}, {"network": "conv"}),
        # Nothing plays against it: neither weights nor rewards count.
        ({}, {"objective": "mle", "adversarial_weight": 0.0, "likelihood_weight": 0.0}, {}),
        ({"network": "recurrent", "latent": 8, "attention": True}, {}, {"network": "gru"}),
    ],
)
def test_what_works_instead_is_taken(
    model: dict[str, Any],
    train: dict[str, Any],
    judge: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    check(model, train, judge, "frechet_embedding_distance")
