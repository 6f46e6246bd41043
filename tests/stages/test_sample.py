from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from genline.core.errors import GenlineError, ModelError
from genline.core.files import write_text
from genline.data.prepared import ImageSpec, TextSpec
from genline.stages.sample import run


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def images(project):
    from genline.models.image_vae import build
    from genline.models.image_vae.config import Model
    from genline.models.initialisation import seeded
    from genline.models.store import save_model

    section = Model(
        network="conv",
        width=4,
        blocks=0,
        latent=2,
        likelihood="binomial",
        pixels="mean",
        gmm_components=[2],
    )
    spec = ImageSpec(channels=1, height=8, width=8, levels=17, classes=0)
    with seeded(0):
        weights = build(section, spec).state_dict()
    # Weights as drawn give much the same image for every z; larger ones do not.
    save_model(
        "models/pictures", "image_vae", section, spec, {k: 3 * v for k, v in weights.items()}
    )


@pytest.fixture
def texts(project):
    from genline.data.tokenizer import TextTokenizer
    from genline.models.initialisation import seeded
    from genline.models.store import save_model
    from genline.models.text_vae import build
    from genline.models.text_vae.config import Model

    tokenizer = TextTokenizer.train(["a cat sat", "a dog ran", "the cat ran"], 12)
    write_text("tokenizer.json", tokenizer.to_json())
    section = Model(network="lstm", embedding=8, encoder=8, decoder=8, latent=2)
    spec = TextSpec(vocabulary=tokenizer.size, max_tokens=6)
    with seeded(0):
        model = build(section, spec)
    save_model(
        "models/prose", "text_vae", section, spec, model.state_dict(), project / "tokenizer.json"
    )


def ask(experiment="pictures", count=4, output="out.png", seed=0, variant=None, temperature=1.0):
    run(experiment, count, output, seed, variant, temperature)


def test_images_become_a_near_square_png_grid(images, project):
    ask(count=64)
    picture = Image.open(project / "out.png")
    assert picture.mode == "L"
    assert picture.width == picture.height == 8 * 64 + 9 * 4


def test_the_seed_alone_decides_the_samples(images, texts, project, capsys):
    ask(output="a.png")
    ask(output="b.png")
    ask(output="c.png", seed=1)
    assert (project / "a.png").read_bytes() == (project / "b.png").read_bytes()
    assert (project / "a.png").read_bytes() != (project / "c.png").read_bytes()
    ask("prose", output="a.txt")
    ask("prose", output="b.txt")
    assert (project / "a.txt").read_bytes() == (project / "b.txt").read_bytes()


def test_a_variant_is_another_sampler(images, project):
    ask(output="default.png")
    ask(output="gmm.png", variant="gmm")
    ask(output="prior.png", variant="prior")
    pictures = [np.asarray(Image.open(project / f"{n}.png")) for n in ("default", "gmm", "prior")]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


@pytest.mark.parametrize("output", [None, "-"])
def test_texts_without_a_file_go_to_standard_output(texts, capsys, output):
    ask("prose", count=7, output=output)
    said = capsys.readouterr()
    assert said.out.count("\n") == 7
    words = set(io.StringIO(said.out).read().lower().split())
    assert words <= {"a", "cat", "sat", "dog", "ran", "the", "<unk>"}


def test_texts_in_a_file_are_those_of_standard_output(texts, project, capsys):
    ask("prose", output="out.txt")
    ask("prose", output="-")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "4 samples of prose in out.txt"
    assert (project / "out.txt").read_text().splitlines() == lines[1:]


def test_more_samples_than_one_draw_holds_are_all_there(texts, capsys):
    ask("prose", count=1203, output="-")
    assert capsys.readouterr().out.count("\n") == 1203


def test_a_low_temperature_makes_texts_alike(texts, capsys):
    distinct = []
    for temperature in (0.01, 5.0):
        ask("prose", count=100, output="-", temperature=temperature)
        distinct.append(len(set(capsys.readouterr().out.splitlines())))
    assert distinct[0] < distinct[1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "0 samples asked for; ask for 1 to 10000"),
        ({"count": 10**6}, "ask for 1 to 10000"),
        ({"seed": -1}, "seed is -1"),
        ({"temperature": 0.0}, "temperature is 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": 0.5}, "it is for texts"),
        ({"variant": "pior"}, "did you mean 'prior'"),
        ({"output": None}, "say where to write them"),
        ({"output": "no/such/folder/out.png"}, "no such folder"),
        ({"output": "models"}, "is a folder"),
        ({"experiment": "absent"}, "no model here"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(images, project, wrong, message):
    with pytest.raises(GenlineError, match=message) as caught:
        ask(**wrong)
    assert "\n" not in str(caught.value)
    assert {p.name for p in project.iterdir()} == {"models"}


def test_truncated_weights_are_one_line(images, project):
    weights = project / "models/pictures/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        ask()
