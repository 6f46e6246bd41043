"""Training of image GANs: every network learns by every objective, and options do their work."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from image_folder import write_digits
from lightning_fabric import Fabric

from genline.core.errors import ParamsError
from genline.data.prepared import PreparedImages
from genline.models.image_gan.config import Codes, Discriminator, DivergenceName, Model, Train
from genline.models.image_gan.generators import GENERATORS
from genline.models.image_gan.model import ImageGAN
from genline.models.image_gan.objectives import OBJECTIVES
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context
from genline.training.recipes.image_gan import ImageGANRecipe, build

MODEL = Model(network="mlp", latent=8, width=16, row_width=8, layers=1)
TRAIN = Train(
    steps=1000,
    batch=16,
    discriminator=Discriminator(network="mlp", width=16, layers=1),
    objective="non_saturating",
    r1_gamma=0.1,
    r1_every=4,
    learning_rate=0.006,
    decay=0.0,
    beta1=0.0,
    beta2=0.9,
    ema=0.9,
    validate_every=40,
)
# Of a generator: its width, the discriminator that it plays against, and that one's width.
USUAL = (16, "mlp", 16)
PAIRS = {
    "conv": (4, "conv", 4),
    "recurrent_feedback": (16, "recurrent", 16),
    "residual": (4, "conv", 4),
}
# What an objective wants beside it.
NEEDS: dict[str, dict[str, object]] = {
    "energy": {"learning_rate": 0.01},
    "wasserstein": {"r1_gamma": 0.0, "gradient_penalty": 1.0},
    "relativistic": {"r2_gamma": 0.1},
}
CODES = Codes(categorical=[10], continuous=1)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedImages:
    return write_digits(tmp_path_factory.mktemp("data") / "digits")


def recipe(
    digits: PreparedImages,
    model: dict[str, object] | None = None,
    discriminator: dict[str, object] | None = None,
    **changes: object,
) -> ImageGANRecipe:
    judge = TRAIN.discriminator.model_copy(update=discriminator or {})
    made = build(
        Context(Fabric(accelerator="cpu", devices=1), 3),
        digits,
        MODEL.model_copy(update=model or {}),
        TRAIN.model_copy(update={"discriminator": judge, **changes}),
    )
    assert isinstance(made, ImageGANRecipe)
    return made


def run(made: ImageGANRecipe, steps: int) -> list[dict[str, float]]:
    return [{k: v.item() for k, v in made.step(step).items()} for step in range(steps)]


@pytest.mark.parametrize("network", sorted(GENERATORS))
@pytest.mark.parametrize(
    ("objective", "choice"),
    [(name, {}) for name in sorted(OBJECTIVES) if name != "f_divergence"]
    + [("f_divergence", {"divergence": name}) for name in get_args(DivergenceName)],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else value,
)
def test_every_network_comes_nearer_to_the_data_by_every_objective(
    digits: PreparedImages, network: str, objective: str, choice: dict[str, str]
) -> None:
    width, against, against_width = PAIRS.get(network, USUAL)
    model: dict[str, object] = {"network": network, "width": width}
    if objective == "infogan":
        model["codes"] = CODES
    made = recipe(
        digits,
        model,
        {"network": against, "width": against_width},
        objective=objective,
        **choice,
        **NEEDS.get(objective, {}),
    )
    untrained = made.validate(0)["valid_distance"]
    figures = run(made, 20)
    assert all(torch.isfinite(torch.tensor(list(row.values()))).all() for row in figures)
    assert made.validate(20)["valid_distance"] < 0.9 * untrained


@pytest.mark.parametrize(
    ("network", "width"), [("mlp", 32), ("conv", 8), ("residual", 8), ("recurrent", 24)]
)
@pytest.mark.parametrize("norm", ["none", "batch", "spectral"])
def test_a_generator_learns_from_every_discriminator(
    digits: PreparedImages, network: str, width: int, norm: str
) -> None:
    if norm == "batch" and network in ("mlp", "recurrent"):
        with pytest.raises(ParamsError, match="no feature map to take statistics over"):
            recipe(digits, discriminator={"network": network, "norm": norm}, r1_gamma=0.0)
        return
    judge = {"network": network, "width": width, "norm": norm}
    made = recipe(digits, {"width": 32}, judge, r1_gamma=0.0)
    untrained = made.validate(0)["valid_distance"]
    run(made, 20)
    assert made.validate(20)["valid_distance"] < 0.8 * untrained


OPTIONS: dict[str, tuple[dict[str, object], dict[str, object], dict[str, object]]] = {
    "r1 and r2": ({}, {}, {"r2_gamma": 0.1}),
    "gradient penalty": ({}, {}, {"gradient_penalty": 1.0, "r1_gamma": 0.0}),
    "clipped": (
        {},
        {},
        {"objective": "wasserstein", "clip_weights": 0.1, "r1_gamma": 0.0},
    ),
    "feature matching": ({}, {}, {"feature_matching": 1.0}),
    "minibatch discrimination": ({}, {"minibatch_kernels": 4}, {"r1_gamma": 0.0}),
    "sigmoid": ({}, {"head": "sigmoid"}, {"objective": "least_squares"}),
    "two rates, two steps": (
        {},
        {},
        {"discriminator_learning_rate": 0.004, "discriminator_steps": 2},
    ),
    "augmented": ({}, {}, {"augment": ["crop", "translate"]}),
    "differentiably augmented": (
        {},
        {},
        {"diff_augment": ["colour", "translate", "cutout", "flip"]},
    ),
    "conditional": ({"conditional": True}, {}, {}),
    "conditional convolutions": (
        {"conditional": True, "network": "conv", "width": 8, "attention": True},
        {"network": "conv", "width": 8, "attention": True, "norm": "spectral"},
        {"objective": "hinge"},
    ),
    "conditional energy": (
        {"conditional": True},
        {},
        {"objective": "energy", "learning_rate": 0.01},
    ),
    "conditional codes": ({"conditional": True, "codes": CODES}, {}, {"objective": "infogan"}),
    "matched pairs": (
        {"codes": CODES},
        {"norm": "spectral"},
        {"objective": "infogan", "feature_matching": 0.5, "r1_gamma": 0.0},
    ),
}


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_training_with_each_option_is_finite_learns_and_resumes_exactly(
    digits: PreparedImages, option: str
) -> None:
    model, judge, changes = OPTIONS[option]
    model = {"width": 32} | model

    def made() -> ImageGANRecipe:
        return recipe(digits, model, judge, **changes)

    whole, part, rest = made(), made(), made()
    untrained = whole.validate(0)["valid_distance"]
    figures = run(whole, 30)
    assert all(torch.isfinite(torch.tensor(list(row.values()))).all() for row in figures)
    assert whole.validate(30)["valid_distance"] < 0.9 * untrained
    run(part, 3)
    rest.load_state_dict(copy.deepcopy(part.state_dict()))
    for step in range(3, 6):
        part.step(step)
        rest.step(step)
    for name, value in part.result().items():
        assert torch.equal(value, rest.result()[name]), name


@pytest.mark.parametrize("changes", [{"r2_gamma": 0.1}, {"gradient_penalty": 1.0}])
def test_penalties_on_generated_images_work_in_bf16(
    digits: PreparedImages, changes: dict[str, float]
) -> None:
    context = Context(Fabric(accelerator="cpu", devices=1, precision="bf16-mixed"), 3)
    made = build(context, digits, MODEL, TRAIN.model_copy(update=changes))
    assert isinstance(made, ImageGANRecipe)
    assert all(torch.isfinite(torch.tensor(list(row.values()))).all() for row in run(made, 5))


def test_what_a_step_measures_is_what_its_options_add(digits: PreparedImages) -> None:
    plain = {"loss", "discriminator_loss", "discriminator_accuracy"}
    norms = {"generator_gradient", "discriminator_gradient"}
    steps = run(recipe(digits, r1_gamma=0.0), 2)
    assert set(steps[0]) == plain | norms
    assert set(steps[1]) == plain
    penalised = recipe(digits, r2_gamma=1.0, gradient_penalty=1.0, feature_matching=1.0)
    penalties = {"squared_gradient", "squared_gradient_generated", "gradient_penalty"}
    assert set(run(penalised, 1)[0]) == plain | norms | penalties | {"feature_matching"}
    told = recipe(digits, {"codes": CODES}, objective="infogan")
    assert "code_information" in run(told, 1)[0]


def test_the_norms_are_those_of_the_gradients(digits: PreparedImages) -> None:
    made = recipe(digits)
    figures = made.step(0)
    for name, network in (("generator", made.gan), ("discriminator", made.discriminator)):
        squares = sum(float(p.grad.double().square().sum()) for p in network.parameters())
        assert figures[f"{name}_gradient"].item() == pytest.approx(squares**0.5, rel=1e-5)


def test_lazy_penalties_weigh_as_much_as_those_of_every_step(digits: PreparedImages) -> None:
    """The first step's update is that of a penalty ``r1_every`` times as strong."""
    lazy = recipe(digits, r1_gamma=0.1, r1_every=4)
    strong = recipe(digits, r1_gamma=0.4, r1_every=1)
    lazy.step(0)
    strong.step(0)
    for a, b in zip(
        lazy.discriminator.parameters(), strong.discriminator.parameters(), strict=True
    ):
        torch.testing.assert_close(a.grad, b.grad)


def test_weights_stay_within_the_clip(digits: PreparedImages) -> None:
    made = recipe(digits, objective="wasserstein", clip_weights=0.02, r1_gamma=0.0)
    run(made, 3)
    assert max(float(p.detach().abs().max()) for p in made.discriminator.parameters()) <= 0.02


def test_two_rates_are_used_and_decay_together(digits: PreparedImages) -> None:
    made = recipe(digits, steps=10, decay=0.5, discriminator_learning_rate=0.001)
    made.step(9)
    assert made.optimizer_g.param_groups[0]["lr"] == pytest.approx(0.006 / 5)
    assert made.optimizer_d.param_groups[0]["lr"] == pytest.approx(0.001 / 5)


def test_a_conditional_gan_knows_how_often_each_class_is(digits: PreparedImages) -> None:
    made = recipe(digits, {"conditional": True})
    labels = torch.tensor(digits.split("train").labels)
    shares = torch.bincount(labels, minlength=10) / len(labels)
    torch.testing.assert_close(made.result()["class_shares"], shares)


def test_codes_come_to_be_read_from_the_images(digits: PreparedImages) -> None:
    made = recipe(digits, {"codes": Codes(categorical=[4])}, objective="infogan")
    told = [row["code_information"] for row in run(made, 80)]
    blind = -torch.tensor(4.0).log().item()
    assert told[0] == pytest.approx(blind, abs=0.2)
    assert told[-1] > blind / 2


def test_the_last_generator_is_kept_beside_the_best(digits: PreparedImages, tmp_path: Path) -> None:
    """A training that comes apart after its best: neither state is lost, and training as ever."""
    kept = {}
    for keep in (False, True):
        made = recipe(digits, {"keep_last": keep}, steps=40, validate_every=20)
        learn = made.step

        def fail_late(
            step: int, made: ImageGANRecipe = made, learn: Callable[..., Any] = learn
        ) -> dict[str, torch.Tensor]:
            figures = learn(step)
            if step >= 20:
                *others, bias = made.average.module.generator.parameters()
                torch._foreach_zero_(others)
                bias.fill_(9.0)  # white images
            return figures

        made.step = fail_late  # type: ignore[method-assign]
        trained = train("gan", made, Checkpoints(tmp_path / str(keep), "g", "d"))
        kept[keep] = trained.weights
    rows = [row for row in trained.history.rows if "valid_distance" in row]
    best, last = rows[0]["valid_distance"], rows[-1]["valid_distance"]
    assert best < 0.5 * last
    gan = ImageGAN(MODEL.model_copy(update={"keep_last": True}), digits.spec).eval()
    gan.load_state_dict(kept[True])
    assert gan.variants == ("model", "last")
    noise = [torch.Generator().manual_seed(1) for _ in range(2)]
    assert gan.sample(3, noise[0], "last").min() == 16
    assert gan.sample(3, noise[1]).float().mean() < 12
    made.average.module.load_state_dict(kept[True])
    assert made.validate(0)["valid_distance"] == pytest.approx(best)
    assert all(torch.equal(kept[True][name], value) for name, value in kept[False].items())


def test_averaged_weights_are_judged_with_statistics_of_their_own(digits: PreparedImages) -> None:
    """The last batches of training say nothing of a network that averages them all."""
    made = recipe(digits, {"network": "conv", "width": 8})
    run(made, 5)
    first = made.validate(5)
    with torch.no_grad():
        for name, buffer in made.average.module.named_buffers():
            if "running" in name:
                buffer.fill_(9.0)
    assert made.validate(5) == first
    momenta = {m.momentum for m in made.average.module.modules() if hasattr(m, "momentum")}
    assert momenta == {0.1}


def test_impossible_choices_are_refused_before_training(digits: PreparedImages) -> None:
    with pytest.raises(ParamsError, match="nothing holds it; use gradient_penalty"):
        recipe(digits, objective="wasserstein", r1_gamma=0.0)
    with pytest.raises(ParamsError, match="batch is 500 but there are only 200 training items"):
        recipe(digits, batch=500)
