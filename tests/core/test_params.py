import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from genline.core.errors import ParamsError
from genline.core.params import Section, load_yaml, lookup, parse_section


class Inner(Section):
    steps: int = Field(gt=0)
    rate: float = Field(gt=0, lt=1, description="learning rate, in (0, 1)")


class Outer(Section):
    inner: Inner
    mode: Literal["fast", "slow"] = "fast"


GOOD = {"inner": {"steps": 1, "rate": 0.5}}


def changed(**changes: object) -> dict[str, object]:
    return {**GOOD, **changes}


def message(value: object) -> str:
    with pytest.raises(ParamsError) as caught:
        parse_section(Outer, value, "top")
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_good_section_is_read() -> None:
    assert parse_section(Outer, GOOD, "top").inner.steps == 1


def test_a_misspelt_key_is_named_with_the_nearest_known_one() -> None:
    text = message(changed(inner={"stepz": 1, "rate": 0.5}))
    assert "unknown key 'top.inner.stepz'" in text
    assert "did you mean 'steps'?" in text


def test_one_misspelt_key_is_one_error() -> None:
    assert "more)" not in message(changed(inner={"stepz": 1, "rate": 0.5}))


def test_a_misspelt_key_is_taken_for_the_missing_one_among_those_near_it() -> None:
    class Near(Section):
        dropout: float
        dropout_r: float

    with pytest.raises(ParamsError, match=r"unknown key 'dropout_'; did you mean 'dropout_r'\?$"):
        parse_section(Near, {"dropout": 0.1, "dropout_": 0.1}, "")


def test_two_errors_are_counted() -> None:
    assert message(changed(inner={"stepz": 1, "rate": 7})).endswith("'steps'? (and 1 more)")
    assert message(changed(inner={"zzz": 1, "rate": 0.5})).endswith("(and 1 more)")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("14e2", r"steps is 1400\.0, which YAML reads as a decimal .* write 1400$"),
        ("1400.0", r"write 1400$"),
        ("'1400'", r"is '1400', which YAML reads as text; write 1400, without quotes$"),
    ],
)
def test_a_whole_number_in_another_form_says_what_to_write(
    tmp_path: Path, written: str, words: str
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"inner: {{steps: {written}, rate: 0.5}}\n")
    with pytest.raises(ParamsError, match=words):
        parse_section(Outer, load_yaml(path), "")


def test_an_unknown_choice_offers_the_nearest() -> None:
    assert "top.mode is 'fats'; did you mean 'fast'?" in message(changed(mode="fats"))


def test_a_missing_key_says_what_is_wanted() -> None:
    text = message(changed(inner={"steps": 1}))
    assert "key 'top.inner.rate' is missing" in text
    assert "learning rate, in (0, 1)" in text


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (0, "0"),
        (1.5, "1.5"),
        ("0.1", "'0.1'"),
        (None, "empty"),
        (True, "true"),
        (float("inf"), "infinite"),
        (float("nan"), r"not a number \(.nan\)"),
        ([1], "a list"),
        ({"a": 1}, "a block of keys"),
    ],
)
def test_a_wrong_value_is_shown_with_the_whole_range(rate: object, shown: str) -> None:
    text = message(changed(inner={"steps": 1, "rate": rate}))
    assert re.search(rf"top\.inner\.rate is {shown}; wanted: a number in \(0, 1\)$", text), text


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    assert len(message(changed(inner={"steps": "x" * 10_000, "rate": 0.5}))) < 300


def test_numbers_in_exponent_form_are_numbers_as_dvc_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: 1e-3\nb: 2E5\nc: 1.5e+2\nd: e1\n")
    assert load_yaml(path) == {"a": 0.001, "b": 200000.0, "c": 150.0, "d": "e1"}


def test_a_repeated_key_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: 1\nb: 2\na: 3\n")
    with pytest.raises(ParamsError, match="line 3: key 'a' stands twice"):
        load_yaml(path)


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: 1\nb: [1, 2\nc: 3\n")
    with pytest.raises(ParamsError, match=r"params\.yaml, line \d"):
        load_yaml(path)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"a: caf\xe9\n")
    with pytest.raises(ParamsError, match="not UTF-8 at byte 6"):
        load_yaml(path)


def test_looking_up_a_key_that_is_not_there_offers_the_nearest() -> None:
    with pytest.raises(ParamsError, match=r"no key .* did you mean 'digits-vae'"):
        lookup({"experiments": {"digits-vae": {}, "other": {}}}, "experiments.digit-vae")


class Round(Section):
    shape: Literal["round"]
    radius: int = Field(ge=1)


class Square(Section):
    shape: Literal["square"]
    side: int = Field(ge=1)


class Drawing(Section):
    figure: Round | Square = Field(discriminator="shape")


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        ({"shape": "rond", "radius": 1}, "d.figure.shape is 'rond'; did you mean 'round'?"),
        ({"shap": "round", "radius": 1}, "unknown key 'd.figure.shap'; did you mean 'shape'?"),
        ({"radius": 1}, "key 'd.figure.shape' is missing"),
        ({"shape": "round", "radus": 1}, "unknown key 'd.figure.radus'; did you mean 'radius'"),
        ({"shape": "square", "radius": 1}, "unknown key 'd.figure.radius'; known: shape, side"),
        ({"shape": "square", "side": 0}, "d.figure.side is 0; "),
    ],
)
def test_an_error_in_one_of_several_sections_speaks_of_that_one(
    figure: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParamsError) as error:
        parse_section(Drawing, {"figure": figure}, "d")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "top is empty; wanted: a block with the keys inner, mode"),
        ([1], "top is a list; wanted: a block with the keys inner, mode"),
        ({"inner": None}, "top.inner is empty; wanted: a block with the keys steps, rate"),
        ({}, "key 'top.inner' is missing; wanted: a block with the keys steps, rate"),
        ({**GOOD, "mode": ["fast"]}, "top.mode is a list; wanted: fast or slow"),
        (
            {"inner": {"steps": -1, "rate": 0.5}},
            "top.inner.steps is -1; wanted: a whole number, 1 or more",
        ),
        (
            {"inner": {"steps": date(2026, 1, 2), "rate": 0.5}},
            "top.inner.steps is the date 2026-01-02; wanted: a whole number, 1 or more",
        ),
        ({**GOOD, 1: 2}, "top.1: the name must be text; quote it ('1')"),
    ],
)
def test_a_wrong_kind_is_told_in_the_words_of_yaml(value: object, words: str) -> None:
    assert message(value) == f"params.yaml: {words}"


def test_a_name_that_is_no_text_and_an_entry_of_a_list_are_placed() -> None:
    class Named(Section):
        entries: dict[str, dict[str, int]]
        sizes: list[Annotated[int, Field(ge=1, le=500)]] = Field(min_length=1)

    for value, words in (
        ({"entries": {1: {}}, "sizes": [1]}, "entries.1: the name must be text; quote it ('1')"),
        ({"entries": {}, "sizes": [1, 0]}, "sizes.1 is 0; wanted: a whole number from 1 to 500"),
        ({"entries": {}, "sizes": []}, "sizes is too short; wanted: at least 1 entry"),
    ):
        with pytest.raises(ParamsError) as caught:
            parse_section(Named, value, "")
        assert str(caught.value) == f"params.yaml: {words}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\nb: x\0y\n", r"line 2: holds the character U\+0000; take it out"),
        ("? [a, b]\n: 1\n", "line 1: a key is a list or a block; a key is one word"),
        ("a: 1\n---\nb: 2\n", "line 2: a second document begins here; keep one"),
        ("a: 2026-13-45\n", "not a value of YAML"),
        ("a: " + "9" * 5000 + "\n", "not a value of YAML"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: !!python/object:os.system x\n", "line 1"),
    ],
)
def test_yaml_that_cannot_be_used_is_one_line(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(ParamsError, match=words) as caught:
        load_yaml(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_merge_takes_the_keys_of_an_anchor_and_may_replace_them(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {c: &c {<<: *a, y: 3}}\nd: {<<: *c, x: 4}\n")
    assert load_yaml(path)["b"] == {"c": {"x": 1, "y": 3}}
    assert load_yaml(path)["d"] == {"x": 4, "y": 3}


def test_what_is_no_regular_file_is_named_and_never_waited_for(tmp_path: Path) -> None:
    pipe, folder, loop = tmp_path / "pipe", tmp_path / "folder", tmp_path / "loop"
    os.mkfifo(pipe)
    folder.mkdir()
    loop.symlink_to(loop)
    for path, words in ((pipe, "a named pipe"), (folder, "a folder"), (loop, "back to itself")):
        with pytest.raises(ParamsError, match=words):
            load_yaml(path)
