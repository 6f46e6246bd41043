from __future__ import annotations

import inspect
import io
import json

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


def ask(
    experiment="pictures",
    count=4,
    output="out.png",
    seed=0,
    variant=None,
    temperature=1.0,
    **strategy,
):
    run(experiment, count, output, seed, variant, temperature, **strategy)


@pytest.fixture
def labelled(project):
    from genline.models.image_gan import build
    from genline.models.image_gan.config import Model
    from genline.models.initialisation import seeded
    from genline.models.store import save_model

    section = Model(network="mlp", latent=2, width=4, layers=1, conditional=True)
    spec = ImageSpec(channels=1, height=8, width=8, levels=17, classes=3)
    with seeded(0):
        weights = build(section, spec).state_dict()
    save_model(
        "models/labelled", "image_gan", section, spec, {k: 3 * v for k, v in weights.items()}
    )


def test_labels_are_drawn_in_turn(labelled, project):
    for name, labels in {"all": "0,1,2", "same": "0,1,2,0", "first": "0", "any": None}.items():
        run("labelled", 4, f"{name}.png", 0, None, 1.0, labels)
    pictures = {n: (project / f"{n}.png").read_bytes() for n in ("all", "same", "first", "any")}
    assert pictures["all"] == pictures["same"]
    assert len(set(pictures.values())) == 3


@pytest.mark.parametrize(
    ("experiment", "labels", "message"),
    [
        ("labelled", "3", "label 3 is unknown; use 0 to 2"),
        ("labelled", "one", "labels are 'one'; use whole numbers separated by commas"),
        ("pictures", "1", "was trained without them; leave them out"),
        ("prose", "1", "draws texts, which have no labels"),
    ],
)
def test_labels_that_a_model_does_not_know_are_refused(
    labelled, images, texts, experiment, labels, message
):
    with pytest.raises(GenlineError, match=message):
        run(experiment, 4, "out.png", 0, None, 1.0, labels)


@pytest.fixture
def coded(project):
    from genline.models.image_gan import build
    from genline.models.image_gan.config import Codes, Model
    from genline.models.initialisation import seeded
    from genline.models.store import save_model

    codes = Codes(categorical=[4], continuous=1)
    section = Model(network="mlp", latent=2, width=8, layers=1, codes=codes)
    spec = ImageSpec(channels=1, height=8, width=8, levels=17, classes=0)
    with seeded(0):
        weights = build(section, spec).state_dict()
    save_model("models/coded", "image_gan", section, spec, {k: 3 * v for k, v in weights.items()})


def cells(file, columns):
    """The images of a grid of 8×8 ones, by row and column."""
    grid = np.asarray(Image.open(file))
    rows = grid.shape[0] // 68
    return [
        [grid[r * 68 + 4 :, c * 68 + 4 :][:64, :64] for c in range(columns)] for r in range(rows)
    ]


def test_a_traversal_changes_one_code_along_each_row(coded, project):
    ask("coded", count=2, output="grid.png", traverse=0, codes="1=0.5")
    ask("coded", count=2, output="one.png", codes="0=2,1=0.5")
    ask("coded", count=2, output="steps.png", traverse=1)
    rows, (alone,) = cells(project / "grid.png", 4), cells(project / "one.png", 2)
    assert [len(row) for row in rows] == [4, 4]
    for row, image in zip(rows, alone, strict=True):
        assert np.array_equal(row[2], image)
        assert all(not np.array_equal(row[2], row[other]) for other in (0, 1, 3))
    assert Image.open(project / "steps.png").size == (9 * 68 + 4, 2 * 68 + 4)


@pytest.mark.parametrize(
    ("experiment", "asked", "message"),
    [
        ("coded", {"codes": "0"}, "codes are '0'; use numbers of codes and their values"),
        ("coded", {"codes": "2=1"}, "no code 2; use 0 to 1"),
        ("coded", {"traverse": 2}, "no code 2; use 0 to 1"),
        ("coded", {"traverse": 0, "count": 2501}, "ask for 2500 images or fewer"),
        ("labelled", {"codes": "0=1"}, "was trained without codes"),
        ("pictures", {"traverse": 0}, "the model has none; leave them out"),
        ("prose", {"codes": "0=1"}, "draws texts, which have no codes"),
    ],
)
def test_codes_that_a_model_does_not_have_are_refused(
    coded, labelled, images, texts, experiment, asked, message
):
    with pytest.raises(GenlineError, match=message):
        ask(experiment, **{"count": 4, **asked})


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


def test_the_command_s_options_are_what_the_stage_takes():
    from genline.cli import _parser

    options = vars(_parser().parse_args(["sample", "e", "--top-k", "3", "--beams", "0"]))
    assert options.pop("verb") == "sample"
    assert options.keys() == inspect.signature(run).parameters.keys()
    assert (options["top_k"], options["top_p"], options["beams"]) == (3, 1.0, 0)


def test_texts_are_drawn_or_searched_for_as_asked(texts, capsys):
    """Greedy and searched texts follow from z alone, so that fewer of them differ."""
    found = {}
    for name, strategy in {
        "drawn": {},
        "top_k": {"top_k": 2},
        "all": {"top_k": 12, "top_p": 1.0},
        "greedy": {"beams": 1},
        "one of one": {"top_k": 1},
        "searched": {"beams": 3},
    }.items():
        ask("prose", count=60, output="-", **strategy)
        found[name] = capsys.readouterr().out.splitlines()
    assert found["drawn"] == found["all"] != found["top_k"]
    assert found["greedy"] == found["one of one"]
    assert len(set(found["greedy"])) < len(set(found["drawn"]))
    assert len(found["searched"]) == 60 and found["searched"] != found["greedy"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"top_k": -1}, "top_k is -1; wanted: a whole number from 0 to 65536"),
        ({"top_p": 0.0}, r"top_p is 0.0; wanted: a number in \(0, 1\]"),
        ({"beams": 65}, "beams is 65; wanted: a whole number from 0 to 64"),
        ({"beams": 2, "top_k": 2}, "beams is 2, which draws nothing"),
        ({"beams": 2, "temperature": 0.5}, "temperature is 0.5 but a search"),
        ({"experiment": "pictures", "output": "a.png", "top_k": 2}, "are for texts"),
    ],
)
def test_a_strategy_that_cannot_be_is_refused(images, texts, wrong, message):
    with pytest.raises(GenlineError, match=message) as caught:
        ask(**({"experiment": "prose", "output": "-"} | wrong))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "0 samples asked for; ask for 1 to 10000"),
        ({"count": 10**6}, "ask for 1 to 10000"),
        ({"seed": -1}, "seed is -1"),
        ({"temperature": 0.0}, "temperature is 0"),
        ({"temperature": 1e-30}, "use a number from 0.01 to 100"),
        ({"temperature": float("inf")}, "use a number from 0.01 to 100"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": 0.5}, "it is for texts"),
        ({"variant": "pior"}, "did you mean 'prior'"),
        ({"output": None}, "say where to write them"),
        ({"output": "no/such/folder/out.png"}, "no such folder"),
        ({"output": "models"}, "is a folder"),
        ({"output": ""}, "-o is empty"),
        ({"output": "out.jpg"}, "images are written as PNG"),
        ({"output": "out"}, "images are written as PNG"),
        ({"experiment": "absent"}, "no model here.*`dvc checkout`.*`dvc repro`"),
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


@pytest.mark.parametrize("name", ["params.yaml", "notes.txt", "picture.png"])
@pytest.mark.parametrize("experiment", ["pictures", "prose"])
def test_a_file_of_another_kind_is_not_overwritten(images, texts, project, name, experiment):
    if (experiment, name) == ("prose", "notes.txt"):
        return  # texts replace texts
    write_text(project / name, "mine\n")
    with pytest.raises(GenlineError, match=name):
        ask(experiment, output=name)
    assert (project / name).read_text() == "mine\n"


def test_a_picture_replaces_a_picture_and_texts_replace_texts(images, texts, project):
    for experiment, name in (("pictures", "out.png"), ("prose", "out.txt")):
        ask(experiment, output=name)
        first = (project / name).read_bytes()
        ask(experiment, output=name, seed=1)
        assert (project / name).read_bytes() != first


def test_texts_take_a_new_name_without_an_extension(texts, project):
    ask("prose", output="lines")
    assert (project / "lines").read_text().count("\n") == 4


def test_a_device_stays_a_device(images, texts, project):
    null = project / "null"
    null.symlink_to("/dev/null")  # a link, so that a failure replaces it and not the device
    for experiment in ("pictures", "prose"):
        ask(experiment, output="null")
    assert null.is_symlink()
    assert null.is_char_device()


def test_texts_for_a_closed_standard_output_are_refused(texts, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(GenlineError, match="standard output is closed; say where"):
        ask("prose", output=None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "no block of keys"),
        ("{}", "holds no key 'family'"),
        ('{"family": "image_vea"}', "did you mean|holds no key 'data'"),
        ('{"family": ["image_vae"], "data": {}}', "of no kind"),
    ],
)
def test_a_config_of_another_shape_is_named(images, project, content, words):
    write_text(project / "models/pictures/config.json", content)
    with pytest.raises(GenlineError, match=words) as caught:
        ask()
    assert "models/pictures/config.json" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("latent", 2.5, "model.latent is 2.5; wanted: a whole number from 1 to 4096"),
        ("latent", 3, "model.safetensors: cannot be read"),
        ("network", "unet", "model.network is 'unet'"),
    ],
)
def test_a_changed_config_is_one_line_that_names_its_file(images, project, key, value, words):
    file = project / "models/pictures/config.json"
    config = json.loads(file.read_text())
    config["model"][key] = value
    write_text(file, json.dumps(config))
    with pytest.raises(GenlineError) as caught:
        ask()
    assert words in str(caught.value)
    assert "params.yaml" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_of_another_kind_of_data_is_named(images, project):
    file = project / "models/pictures/config.json"
    config = json.loads(file.read_text())
    config["data"] = {"kind": "text", "vocabulary": 9, "max_tokens": 3}
    write_text(file, json.dumps(config))
    with pytest.raises(GenlineError, match="family 'image_vae' is for images"):
        ask()


def test_a_failed_save_leaves_the_good_model_whole(images, project, monkeypatch):
    from genline.models import store

    folder = project / "models/pictures"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("genline.models.weights.write_bytes", full)
    loaded = store.load_model(folder)
    config = json.loads((folder / "config.json").read_text())
    model = store.family_config("image_vae").Model(**(config["model"] | {"latent": 5}))
    with pytest.raises(OSError, match="No space"):
        store.save_model(folder, "image_vae", model, loaded.spec, loaded.model.state_dict())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["pictures"]
