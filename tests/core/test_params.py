from pathlib import Path
from typing import Any, Literal

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


@pytest.mark.parametrize("rate", [0, 1.5, "0.1", None, True])
def test_a_value_of_the_wrong_type_or_range_is_shown(rate: object) -> None:
    text = message(changed(inner={"steps": 1, "rate": rate}))
    assert f"top.inner.rate is {rate!r}" in text


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
