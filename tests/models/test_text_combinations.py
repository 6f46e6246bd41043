"""Text models that cannot be trained or judged are refused before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from genline import parameters
from genline.core.errors import ParamsError

ROOT = Path(__file__).parents[2]
VAE, GAN = "docstrings-vae", "docstrings-gan"
Changes = dict[str, Any]
NOISY: Changes = {"model.network": "recurrent", "model.latent": 8}


def check(name: str, changes: Changes) -> None:
    """params.yaml as it stands, the entry ``name`` alone and changed in these dotted keys."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    entry = params["experiments"][name]
    for key, value in changes.items():
        *path, last = key.split(".")
        place = entry
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    params["experiments"] = {name: entry}
    params["datasets"] = {"docstrings": params["datasets"]["docstrings"]}
    suite = Path(params["datasets"]["docstrings"]["validate"]["suite"])
    suite.parent.mkdir(parents=True)
    suite.write_text("expectations: []\n")
    Path("params.yaml").write_text(yaml.safe_dump(params))
    parameters.check()


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        (GAN, {"model.network": "recurrent"}, "latent is 0.*use 8 or more"),
        (GAN, {"model.network": "mlp"}, "latent is 0.*network lstm"),
        (GAN, {"model.latent": 8}, "lstm reads no noise.*leave it out"),
        (
            GAN,
            {"model.network": "transformer", "model.attention": True},
            "made of it; leave it out",
        ),
        (
            GAN,
            {"model.network": "mlp", "model.latent": 8, "model.layers": 2},
            "layers is 2.*widen hidden",
        ),
        (GAN, {"model.heads": 2}, "heads is 2, which only network transformer has"),
        (GAN, {"model.network": "transformer", "model.heads": 3}, "3 heads cannot share.*as 255"),
        (
            GAN,
            {"train.discriminator.network": "conv"},
            "discount is 0.9.*whole texts.*use discount: 1.0",
        ),
        (GAN, {"train.discriminator.network": "transformer"}, "discount is 0.9"),
        (
            GAN,
            {"train.discriminator.network": "conv", "train.discriminator.layers": 2},
            "layers is 2.*add widths",
        ),
        (
            GAN,
            {
                "train.discount": 1.0,
                "train.discriminator.network": "transformer",
                "train.discriminator.heads": 3,
            },
            "heads is 3.*256",
        ),
        (GAN, {"train.discriminator.widths": [2, 3]}, r"widths is \[2, 3\].*only network conv"),
        (GAN, {"train.adversarial_weight": 0.0, "train.likelihood_weight": 0.0}, "are both 0"),
        (
            GAN,
            {"train.objective": "feature_matching", "train.batch": 1},
            "batch is 1.*16 or more",
        ),
        (GAN, {"train.matching": "mmd"}, "reinforce matches no features.*feature_matching"),
        (GAN, {**NOISY, "register.metric": "perplexity"}, "metric is 'perplexity'"),
        (GAN, {"evaluate.decoding": {"beams": 4}}, "beams is 4.*draws nothing.*use beams: 0"),
        (
            VAE,
            {"model.batch_norm": 0.5, "train.batch": 1},
            "no statistics; use 2 or more, or batch_norm: 0",
        ),
        (
            VAE,
            {"model.network": "mlp", "train.word_dropout": 0.3},
            "word_dropout is 0.3.*use 0, or network lstm",
        ),
    ],
)
def test_what_cannot_be_trained_or_judged_is_refused_with_what_can(
    name: str, changes: Changes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError, match=said) as error:
        check(name, changes)
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (GAN, {"train.discount": 1.0, "train.discriminator.network": "conv"}),
        (GAN, {"train.objective": "gumbel", "train.discriminator.network": "conv"}),
        (GAN, {"train.objective": "feature_matching", "train.matching": "mmd"}),
        # Nothing plays against it: neither weights nor rewards count.
        (
            GAN,
            {
                "train.objective": "mle",
                "train.adversarial_weight": 0.0,
                "train.likelihood_weight": 0.0,
            },
        ),
        (GAN, {**NOISY, "model.attention": True, "train.discriminator.network": "gru"}),
        (VAE, {"model.network": "mlp", "model.batch_norm": 0.5}),
        (VAE, {"evaluate.decoding": {"beams": 4}}),
    ],
)
def test_what_works_instead_is_taken(
    name: str, changes: Changes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check(name, changes)
