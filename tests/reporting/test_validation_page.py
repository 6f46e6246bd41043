from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_line import expectation, validation
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from genline.data.sources.items import ImageItem, TextItem
from genline.reporting.validation.histogram import HEIGHT, WIDTH, bars, pairs
from genline.reporting.validation.items import Shown, collect, offending, typical
from genline.reporting.validation.page import render, write_page
from genline.reporting.validation.wording import COLUMNS, sentence

HOSTILE = '<script>alert("x")</script>"\'&\u202egnp.exe\u2066' + "W" * 500


class Tags(HTMLParser):
    """Counts the elements of a page, and sees that each is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.count: dict[str, int] = {}
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in ("meta", "link", "img", "br", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def failed_result() -> dict[str, object]:
    result = validation("digits")
    result["success"] = False
    result["expectations"][3] |= {
        "success": False,
        "unexpected": 45,
        "offending": [{"item": HOSTILE, "value": HOSTILE} for _ in range(12)],
    }
    result["source"]["note"] = HOSTILE
    result["columns"][1]["top"] = [[HOSTILE, 3], [None, 2], [True, 1]]
    result["columns"][0]["name"] = HOSTILE
    return result


def test_a_passed_validation_says_so_first() -> None:
    page = render(validation("digits"))
    assert page.index("Passed") < page.index("What was expected")
    assert "5 of 5 met" in page
    assert "Items that break" not in page


def test_a_failed_validation_names_the_expectation_the_counts_and_the_items() -> None:
    page = render(failed_result())
    assert "1 of 5 not met" in page
    assert "45 of 1,797 items (2.5 %) break it" in page
    assert "35 more not shown" in page


def test_a_warning_alone_does_not_read_as_failure() -> None:
    result = validation("digits")
    table_wide = {"checked": None, "unexpected": None, "observed": 812}
    result["expectations"][0] |= {"success": False, "severity": "warn"} | table_wide
    page = render(result)
    assert "Passed" in page
    assert "These are warnings" in page
    assert "found 812." in page


def test_what_an_unmet_expectation_does_is_said_in_words() -> None:
    result = validation("digits")
    result["expectations"][0]["severity"] = "warn"
    page = render(result)
    assert page.count(">stops the line</td>") == 4
    assert page.count(">warns only</td>") == 1
    assert not re.search(r">\s*(fail|warn)\s*<", page)


def test_every_column_of_the_item_tables_is_told_in_words() -> None:
    from genline.data.validation.tables import IDENTITIES, IMAGE_COLUMNS, TEXT_COLUMNS

    assert set(COLUMNS) == (set(IMAGE_COLUMNS) | set(TEXT_COLUMNS)) - set(IDENTITIES)
    result = validation("digits")
    result["columns"][0]["name"] = "entropy"
    assert "in bits: 0 for a blank one" in render(result)


def test_items_are_shown_typical_ones_and_those_that_break_an_expectation() -> None:
    result = failed_result()
    result["expectations"][3]["offending"] = [{"item": "row 7", "value": 99}]
    items = {
        "row 7": Shown("row 7", "3", "data:image/png;base64,AAAA", ""),
        "row 1": Shown("row 1", "8", "data:image/png;base64,BBBB", ""),
    }
    page = render(result, items, ["row 1"])
    examples = page.index("What the items look like")
    assert page.count("base64,AAAA") == page.count("base64,BBBB") == 1
    assert page.index("base64,AAAA") < examples < page.index("base64,BBBB")
    assert 'alt="row 1, label 8"' in page


def test_a_hostile_text_is_shown_as_text() -> None:
    items = {"line 1": Shown("line 1", HOSTILE, "", HOSTILE)}
    page = render(validation("docstrings"), items, ["line 1"])
    assert "<script" not in page and "\u202e" not in page
    assert "&lt;script&gt;" in page


def test_the_page_and_the_report_lead_to_each_other(finished: Path) -> None:
    folder = finished / "reports/validation/digits"
    [link] = re.findall(r'href="([^"#]*html)"', (folder / "index.html").read_text())
    assert (folder / link).resolve() == (finished / "reports/index.html").resolve()


@given(st.lists(st.sampled_from("abcdefghijklmnop"), max_size=200), st.integers(1, 30))
def test_typical_items_are_few_and_of_as_many_labels_as_fit(labels: list[str], count: int) -> None:
    chosen = typical(labels, count)
    assert len(chosen) == len(set(chosen))
    assert len(chosen) <= count + len(set(labels))
    assert len({labels[i] for i in chosen}) == min(count, len(set(labels)))


def test_typical_items_lie_at_even_distances() -> None:
    assert typical([None] * 100, 4) == [12, 37, 62, 87]


@pytest.mark.parametrize(
    ("shape", "size"), [((1, 8, 8), (56, 56)), ((3, 4, 2), (28, 56)), ((1, 300, 150), (56, 112))]
)
def test_an_image_is_shown_small_whatever_its_size_and_range(
    shape: tuple[int, ...], size: tuple[int, int]
) -> None:
    pixels = np.arange(np.prod(shape)).reshape(shape) - 3
    shown = collect(iter([ImageItem("a", pixels, None)]), ["a"], 17)["a"]
    picture = Image.open(io.BytesIO(base64.b64decode(shown.picture.partition(",")[2])))
    assert picture.size == size
    assert (shown.label, shown.text) == ("", "")


def test_only_the_items_asked_for_are_collected() -> None:
    items = [TextItem(f"line {i}", f"text {i}", "x") for i in range(5)]
    assert collect(iter(items), ["line 3", "absent"], 0) == {
        "line 3": Shown("line 3", "x", "", "text 3")
    }


def test_hostile_values_stay_text() -> None:
    page = render(failed_result())
    assert "<script" not in page
    assert "\u202e" not in page, "an override would turn the text around it"
    assert "&lt;script&gt;" in page
    tags = Tags(page)
    assert not tags.open
    assert tags.count == Tags(render(calm(failed_result()))).count


def calm(value: object) -> object:
    if isinstance(value, dict):
        return {k: calm(v) for k, v in value.items()}
    if isinstance(value, list):
        return [calm(v) for v in value]
    return "calm" if value == HOSTILE else value


def test_the_page_asks_for_nothing() -> None:
    page = render(validation("docstrings"))
    assert set(re.findall(r'(?:src|href)="(?!data:|#)([^"]*)', page)) == {"../../index.html"}
    assert "@import" not in page
    assert "<script" not in page
    assert "url(" not in page


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_page(validation("digits"), tmp_path / name)
    a, b = (tmp_path / name / "index.html" for name in ("a", "b"))
    assert a.read_bytes() == b.read_bytes()


def test_an_empty_suite_is_not_praised() -> None:
    assert "nothing checked" in render(validation("digits") | {"expectations": []})


@pytest.mark.parametrize(
    ("kind", "kwargs", "words"),
    [
        (
            "expect_column_values_to_be_between",
            {"min_value": 0, "max_value": 16},
            "Every value is between 0 and 16",
        ),
        (
            "expect_column_values_to_be_between",
            {"min_value": 0.123456, "strict_min": True},
            "Every value is more than 0.123456",
        ),
        (
            "expect_column_values_to_be_in_set",
            {"value_set": [8]},
            "Every value is 8",
        ),
        (
            "expect_column_values_to_not_be_null",
            {"mostly": 0.99},
            "In at least 99 % of the items, the value is present",
        ),
        (
            "expect_column_kl_divergence_to_be_less_than",
            {"partition_object": {"values": [0, 1], "weights": [0.5, 0.5]}, "threshold": 0.02},
            "The shares of the values differ from equal shares of 0, 1 by less than 0.02 nats (KL)",
        ),
        (
            "expect_column_values_to_be_in_set",
            {"column": "leaked", "value_set": [False]},
            "No test item stands in train, equal or nearly so",
        ),
        (
            "expect_column_values_to_be_in_set",
            {"column": "leaked", "value_set": [False], "mostly": 0.99},
            "In at least 99 % of the items, the value is false",
        ),
        (
            "expect_column_values_to_be_unique",
            {"column": "digest"},
            "No item equals another (the digest is a hash of its content)",
        ),
        (
            "expect_column_values_to_be_odd",
            {"column": "x", "base": 2},
            "Column values to be odd (base = 2)",
        ),
        ("expect_table_row_count_to_equal", {}, "There are exactly not given items"),
    ],
)
def test_an_expectation_reads_as_a_sentence(
    kind: str, kwargs: dict[str, object], words: str
) -> None:
    assert sentence(expectation(kind, None, kwargs)) == words


@pytest.mark.parametrize(
    ("kind", "kwargs", "words"),
    [
        (
            "expect_column_values_to_be_between",
            {"column": "psi_beyond_chance", "max_value": 0.1},
            "the population stability index of every column exceeds chance by at most 0.1",
        ),
        ("expect_column_mean_to_be_between", {"max_value": 3}, "The mean is at most 3"),
    ],
)
def test_an_expectation_of_drift_says_since_when(
    kind: str, kwargs: dict[str, object], words: str
) -> None:
    found = sentence(expectation(kind, None, kwargs, table="drift"))
    assert found.startswith("Since the version before")
    assert found.endswith(words)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40))
def test_bars_stay_in_their_chart_and_every_filled_bin_is_seen(counts: list[int]) -> None:
    edges = [0.5 * i for i in range(len(counts) + 1)]
    drawn = bars(edges, counts)
    assert len(drawn) == sum(1 for count in counts if count)
    for bar in drawn:
        assert bar.x >= 0 and bar.x + bar.width <= WIDTH + 0.51
        assert bar.height >= 1 and bar.y >= 0
        assert bar.y + bar.height == pytest.approx(HEIGHT, abs=0.02)


def test_validation_pages_need_no_other_part_of_reporting() -> None:
    code = (
        "import sys, genline.reporting.validation.page as p; p.environment();"
        "print([m for m in sys.modules if m.startswith('genline.reporting.')"
        " and not m.startswith('genline.reporting.validation')"
        " and m != 'genline.reporting.numbers']);"
        "print([m for m in ('torch', 'matplotlib', 'pandas', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_a_text_without_end_is_shown_by_its_beginning() -> None:
    long = TextItem("prose.jsonl line 1", "a" * 20_000_000, "")
    shown = collect(iter([long]), [long.name], 256)[long.name]
    assert len(shown.text) < 1100
    assert shown.text.endswith("… (20,000,000 characters in all)")


def test_an_item_that_repeats_another_names_it() -> None:
    result = validation("digits")
    result["expectations"][3] |= {
        "success": False,
        "unexpected": 1,
        "offending": [{"item": "row 2", "value": "0af3", "same_as": "row 1", "nearly": False}],
    }
    page = render(result)
    assert "the same as row 1" in page
    assert "0af3" not in page


def drift(*columns: dict[str, object]) -> dict[str, object]:
    return {
        "before": {"digest": "0af3", "items": 900},
        "items": 1000,
        "columns": [
            {"psi": 0.3, "psi_by_chance": 0.1, "psi_beyond_chance": 0.2, "kl": 0.15}
            | {"bins": ["a", "b"], "then": [600, 300], "now": [300, 700]}
            | column
            for column in columns
        ],
        "not_compared": ["tokens"],
    }


def test_columns_that_drifted_are_shown_farthest_first_and_the_calm_ones_named() -> None:
    found = drift(
        {"name": "near"},
        {"name": "far", "psi_beyond_chance": 0.9},
        {"name": "calm", "psi_beyond_chance": 0.0},
    )
    page = render(validation("digits"), drift=found)
    assert "900 images then, 1,000 now" in page
    assert page.index("<code>far</code>") < page.index("<code>near</code>")
    assert page.index("Within chance: <code>calm</code>") < page.index("<code>tokens</code>")
    assert "<bdi>a</bdi>: 66.7 % → 30.0 %" in page
    assert page.count('<rect class="then"') == 4


def test_hostile_names_of_bins_stay_text() -> None:
    bins = {"name": HOSTILE, "bins": [HOSTILE, "b"]}
    page = render(validation("digits"), drift=drift(bins))
    assert "<script" not in page and "\u202e" not in page
    assert not Tags(page).open


def test_a_first_version_has_nothing_to_be_compared_with() -> None:
    first = {"before": None, "items": 3, "columns": [], "not_compared": []}
    assert "This is the first version" in render(validation("digits"), drift=first)


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=12))
def test_pairs_of_bars_stay_in_their_chart_and_show_what_is_there(counts: list[Any]) -> None:
    then, now = ([pair[side] for pair in counts] for side in (0, 1))
    drawn = pairs(then, now)
    assert len(drawn) == (len(counts) if any(then) or any(now) else 0)
    for index, both in enumerate(drawn):
        for bar, count in zip(both, counts[index], strict=True):
            assert (bar.height > 0) == (count > 0)
            assert bar.x >= 0 and bar.x + bar.width <= WIDTH + 0.02
            assert bar.y + bar.height == pytest.approx(HEIGHT, abs=0.02)


def test_an_image_is_shown_beside_the_one_it_nearly_equals() -> None:
    result = validation("digits")
    twin = {"item": "row 2", "value": True, "same_as": "row 9", "nearly": True}
    leak = {"value_set": [False]}
    result["expectations"][3] = expectation(
        "expect_column_values_to_be_in_set",
        "leaked",
        leak,
        success=False,
        unexpected=1,
        offending=[twin],
    )
    items = {
        name: Shown(name, "3", f"data:image/png;base64,{name[-1] * 4}", "")
        for name in ("row 2", "row 9")
    }
    page = render(result, items)
    assert (
        page.index("base64,2222")
        < page.index("base64,9999")
        < page.index("nearly the same as row 9")
    )
    assert "No test item stands in train, equal or nearly so" in page
    assert offending(result) == ["row 2", "row 9"]


def test_what_all_items_share_is_told_once_and_skipped_ones_are_counted() -> None:
    result = validation("digits")
    number = next(c for c in result["columns"] if "histogram" in c)
    result["columns"].append(number | {"name": "height", "min": 8, "max": 8})
    result["source"] |= {
        "skipped": {"count": 12, "first": ["a.png"]},
        "class_names": ["box", "disc"],
    }
    result["columns"][1]["top"] = [[0, 3], [1, 2], [7, 1]]
    page = render(result)
    assert "<dt><code>height</code></dt><dd><bdi>8</bdi></dd>" in page
    assert "12 skipped" in page
    assert "<bdi>0 box</bdi>" in page and "<bdi>7</bdi>" in page


def test_a_broken_character_is_shown_wherever_it_stands() -> None:
    text = "a" * 5000 + "\x00" + "b" * 5000
    shown = collect(iter([TextItem("line 1", text, "")]), ["line 1"], 0)["line 1"].text
    assert "\x00b" in shown
    assert shown.endswith("(10,001 characters in all)")


def test_the_classes_are_named_at_the_top_where_they_have_names() -> None:
    named = validation("digits")
    named["source"] = named["source"] | {"class_names": ["box", "disc"]}
    assert "Labels: 0 is box, 1 is disc." in render(named)
    numbered = validation("digits")
    numbered["source"] = numbered["source"] | {"class_names": ["0", "1"]}
    assert "Labels:" not in render(numbered)


def test_an_empty_entry_of_the_source_has_no_row() -> None:
    made = validation("digits")
    made["source"] = made["source"] | {"skipped": {"count": 0, "first": []}}
    page = render(made)
    assert "skipped.count" in page
    assert "skipped.first" not in page
