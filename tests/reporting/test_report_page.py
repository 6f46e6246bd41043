from __future__ import annotations

import base64
import io
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from test_validation_page import HOSTILE, Tags

from genline.core.errors import DataError
from genline.reporting.charts import Point, _beside
from genline.reporting.curves import training_panels
from genline.reporting.samples import write_texts
from genline.stages import report

Edit = Callable[[dict[str, Any]], object]


def edit(path: Path, change: Edit) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def run() -> tuple[str, str]:
    report.run()
    return read(Path())


def read(root: Path) -> tuple[str, str]:
    """The page and the short report."""
    return (root / report.PAGE).read_text(), (root / report.SHORT).read_text()


def test_the_verdict_stands_first_and_says_by_how_much(finished: Path) -> None:
    page, short = read(finished)
    outcome = "a difference of 0.080 (95 % interval 0.038 to 0.122, the two taken as independent)"
    assert page.index("digits-gan wins") < page.index("Samples beside real data")
    assert outcome in page
    assert outcome in short


def test_the_page_is_one_file_that_asks_for_nothing(finished: Path) -> None:
    page, _ = read(finished)
    links = re.findall(r'\b(?:src|href)="([^"]*)"', page)
    away = {x for x in links if not x.startswith(("data:", "#"))}
    assert away == {"validation/digits/index.html", "validation/docstrings/index.html"}
    assert all((finished / "reports" / link).is_file() for link in away)
    assert "<script" not in page
    assert "@import" not in page


def test_every_experiment_shows_samples_curves_and_health(finished: Path) -> None:
    page, _ = read(finished)
    assert page.count('src="data:image/png;base64,') == 1 + 2 + 2  # real, samples, VAE's others
    assert page.count('class="chart"') == 3 * 4 + 1  # three panels each, and the sweep
    assert "Posterior collapse." in page
    assert "nats per image" in page and "squared norm" in page


def test_ids_are_unique_and_every_reference_has_its_target(finished: Path) -> None:
    page, _ = read(finished)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_headings_go_down_one_level_at_a_time(finished: Path) -> None:
    page, _ = read(finished)
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_charts_have_no_colour_of_their_own(finished: Path) -> None:
    page, _ = read(finished)
    charts = "".join(re.findall(r"<svg class=\"chart\".*?</svg>", page, re.DOTALL))
    assert "var(--series-1)" in charts
    assert not re.search(r"(fill|stroke): #", charts)


def test_the_language_model_is_marked_as_a_baseline(finished: Path) -> None:
    page, short = read(finished)
    assert re.search(r"evaluator&#39;s language model <span[^>]*>baseline", page)
    assert "Perplexity of a 5-gram model (baseline) ↓ | 47.1 (45.8 to 48.4) |" in short


def test_a_text_gan_is_held_against_its_control_and_its_curve(line: Path) -> None:
    page, _ = run()
    assert "docstrings-gan is no different from its control beyond noise" in page
    assert "does not lie below it" in page
    path = line / "reports/evaluation/docstrings-gan.json"

    def improve(record: dict[str, Any]) -> None:
        versus = record["metrics"]["frechet_embedding_distance_vs_control"]
        versus.update(value=-0.002, low=-0.003, high=-0.001)
        beyond = record["metrics"]["reverse_perplexity_vs_control"]
        beyond.update(value=-20.0, low=-25.0, high=-15.0)

    edit(path, improve)
    page, _ = run()
    assert "docstrings-gan is better than its control, beyond noise" in page
    assert "docstrings-gan lies below it, beyond the noise of both" in page


def test_the_short_report_holds_the_gan_against_its_control_too(finished: Path) -> None:
    _, short = read(finished)
    assert "**docstrings-gan against its control**" in short
    assert "docstrings-gan is no different from its control beyond noise: Difference in" in short
    assert "| Reverse perplexity ↓ | 126.3 (124.2 to 128.4) | 125.1 (123.0 to 127.2) |" in short
    assert short.count("its control |") == 1


def test_what_was_left_out_is_told_with_the_reasons(finished: Path) -> None:
    words = (
        "1,197 of 1,797 texts are used: 900 for training, 97 for validation and 200 for test. "
        "Left out: 300 longer than 16 tokens; 200 with a word outside the vocabulary of 3,000; "
        "100 nearly the same as another."
    )
    for text in read(finished):
        assert words in text
        assert "1,797 of 1,797 images are used" in text


def test_what_a_text_vae_keeps_is_said_in_words(finished: Path) -> None:
    page, short = read(finished)
    assert re.search(r"The latent code of docstrings-vae keeps [a-z ,]+ of the content", page)
    assert re.search(r"\*\*docstrings-vae\*\* keeps: [a-z ,]+ of the content", short)


def test_images_on_the_page_are_pixel_for_pixel_and_fit_a_phone(finished: Path) -> None:
    page, _ = read(finished)
    for source in re.findall(r'src="data:image/png;base64,([^"]+)"', page):
        picture = Image.open(io.BytesIO(base64.b64decode(source)))
        assert picture.width <= 288
        columns = (picture.width - 4) // 68
        assert picture.width == columns * 68 + 4, "whole columns of 8×8 pixels of 8×8 each"


def test_a_failed_health_check_is_told_in_every_place(line: Path) -> None:
    failed = {"passed": False, "reason": "classes that are rare or missing: 3"}
    path = line / "reports/evaluation/digits-gan.json"
    edit(path, lambda record: record["health"].update(mode_drop=failed))
    page, short = run()
    assert "digits-vae stands alone" in page
    assert page.count("classes that are rare or missing: 3") == 1
    assert "## Failed health checks\n\n- **digits-gan**, mode drop: classes that" in short


def test_a_model_without_a_finite_figure_has_a_place_on_the_page(line: Path) -> None:
    path = line / "reports/evaluation/digits-gan.json"
    edit(path, lambda record: record["metrics"].clear())
    page, short = run()
    assert "digits-gan has no finite figure" in page
    assert "digits-gan has no finite figure" in short


def test_hostile_text_stays_text(line: Path, finished: Path) -> None:
    write_texts(line / "reports/samples/docstrings-gan/samples.txt", [HOSTILE] * 100)
    for name in ("digits-gan", "docstrings-gan"):
        promotion = line / f"reports/promotion/{name}.json"
        edit(promotion, lambda record: record.update(reason=HOSTILE + " @someone #1 |"))
        evaluation = line / f"reports/evaluation/{name}.json"
        edit(evaluation, lambda record: record["health"]["divergence"].update(reason=HOSTILE))
    page, short = run()
    assert "<script" not in page + short
    assert "\u202e" not in page + short
    assert "@someone" not in short
    tags = Tags(page)
    assert not tags.open
    calm, _ = read(finished)
    assert tags.count == Tags(calm).count


def test_only_what_params_yaml_lists_is_shown(line: Path) -> None:
    path = line / "params.yaml"
    params = yaml.safe_load(path.read_text())
    del params["experiments"]["digits-gan"]
    params["experiments"] = {
        k: v for k, v in params["experiments"].items() if v["dataset"] == "digits"
    }
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    page, short = run()
    assert "digits-gan" not in page + short
    assert "No experiment in params.yaml uses this dataset" in page


def test_the_same_records_give_the_same_bytes(line: Path, finished: Path) -> None:
    assert run() == read(finished)


def test_neither_page_tells_where_or_when_it_was_made(finished: Path) -> None:
    page, short = read(finished)
    assert str(finished) not in page + short
    assert not re.search(r"20\d\d-\d\d-\d\d", page + short)


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("reports/evaluation/digits-vae.json", "evaluate@digits-vae"),
        ("reports/promotion/digits-gan.json", "register@digits-gan"),
        ("reports/training/docstrings-vae.csv", "train@docstrings-vae"),
        ("reports/samples/docstrings-gan/real.txt", "evaluate@docstrings-gan"),
        ("reports/samples/digits-gan/samples.png", "evaluate@digits-gan"),
        ("data/validated/digits/result.json", "validate@digits"),
        ("data/prepared/docstrings/meta.json", "prepare@docstrings"),
    ],
)
def test_a_missing_file_is_named_with_the_stage_that_writes_it(
    line: Path, file: str, stage: str
) -> None:
    (line / file).unlink()
    with pytest.raises(DataError, match=rf"^{re.escape(file)}: no such file; .*{stage}`$"):
        report.run()
    assert not report.PAGE.exists()


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        (
            "reports/evaluation/digits-vae.json",
            lambda r: r["metrics"]["fid"].pop("low"),
            "metric 'fid' has no key 'low'",
        ),
        (
            "reports/evaluation/digits-gan.json",
            lambda r: r["digests"].update(data="other"),
            "scored with another data than digits-vae",
        ),
        (
            "reports/evaluation/digits-gan.json",
            lambda r: r["metrics"]["fid"].update(count=200),
            "scored with 200 items and digits-vae with",
        ),
        ("reports/promotion/digits-vae.json", lambda r: r.pop("reason"), "has no key 'reason'"),
    ],
)
def test_an_incomplete_record_is_named_with_its_key(
    line: Path, file: str, change: Edit, words: str
) -> None:
    edit(line / file, change)
    with pytest.raises(DataError, match=words):
        report.run()


@pytest.mark.parametrize("content", ["", "loss\n1\n", "step,loss\n1,abc\n", "step,loss\n1,2,3\n"])
def test_a_broken_training_curve_is_named(line: Path, content: str) -> None:
    (line / "reports/training/digits-vae.csv").write_text(content)
    with pytest.raises(DataError, match=r"^reports/training/digits-vae\.csv"):
        report.run()


def test_one_sentence_says_what_two_differences_say_alike(finished: Path) -> None:
    for name in ("index.html", "report.md"):
        text = " ".join(re.sub("<[^>]+>", "", (finished / "reports" / name).read_text()).split())
        verdicts = text.count("docstrings-gan is no different from its control beyond noise")
        assert verdicts == (2 if name == "index.html" else 1)  # the verdict, and the section


def test_a_row_of_figures_made_in_different_ways_says_whose_is_which(line: Path) -> None:
    path = Path("reports/evaluation/docstrings-gan.json")
    record = json.loads(path.read_text())
    figure = json.loads(Path("reports/evaluation/docstrings-vae.json").read_text())["metrics"]
    own = figure["perplexity"] | {"title": "Perplexity", "about": "Of its own probabilities."}
    record["metrics"]["perplexity"] = own
    path.write_text(json.dumps(record))
    report.run()
    page = report.PAGE.read_text()
    (row,) = [r for r in re.findall(r"(?s)<tr>.*?</tr>", page) if "Of its own prob" in r]
    assert re.search(r'<th scope="row">Perplexity\s+<small>', row)
    assert "docstrings-vae: What this figure says" in row
    assert "docstrings-gan: Of its own probabilities." in row


def test_a_text_gan_and_its_control_have_a_curve_each() -> None:
    curve = {
        "adversarial_loss": [(1.0, 0.5), (2.0, 0.4)],
        "control_loss": [(3.0, 9.0), (4.0, 9.0)],
        "valid_distance": [(1.0, 0.2), (2.0, 0.1), (3.0, 0.15), (4.0, -0.01)],
    }
    panels = {p.title: p for p in training_panels("e", "text", "text_gan", curve)}
    found = panels["Energy distance of samples"]
    assert found.legend == ("generator", "control")
    assert "n-gram counts" in found.unit
    assert "may fall below 0" in found.note
    (alone,) = training_panels("e", "image", "image_gan", {"valid_distance": [(1.0, 0.2)]})
    assert alone.legend == ("validation",)


def test_labels_lie_beside_the_curve() -> None:
    corner = [Point(0.0, 2.0, "a"), Point(1.0, 0.0, "b"), Point(3.0, 0.0, "c")]
    ways = _beside(corner)
    assert ways[0][1] > 0.5  # the curve goes down from there
    assert ways[1][0] < 0 and ways[1][1] < 0  # outside of the corner
    straight = _beside([Point(float(x), 1.0, "") for x in range(3)])
    assert straight[1] == pytest.approx((0.0, -1.0)) or straight[1] == pytest.approx((0.0, 1.0))


def test_the_names_of_classes_are_told(line: Path) -> None:
    path = Path("data/validated/digits/result.json")
    result = json.loads(path.read_text())
    result["source"]["class_names"] = ["box", "disc"]
    path.write_text(json.dumps(result))
    report.run()
    assert "Classes: 0 is box, 1 is disc." in report.PAGE.read_text()
