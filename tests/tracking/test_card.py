from __future__ import annotations

from genline.tracking import card

SOURCE = {"description": "Digits [by] hand.", "licence": "CC BY 4.0", "name": "digits"}


def test_the_card_says_what_whose_data_how_good_and_its_limits(evaluation):
    text = card.model_card(evaluation(), "3", "champion", "better", SOURCE)
    for part in (
        "An image VAE",
        "Data: Digits \\[by\\] hand. Licence: CC BY 4.0.",
        "| FID (`fid`) | 2 | 1.9 to 2.1 | 0.5 |",
        "## Limits",
        "models:/tiny-vae/3",
    ):
        assert part in text


def test_data_without_a_licence_says_so(evaluation):
    text = card.model_card(evaluation(), "3", "champion", "better", {"name": "mine"})
    assert "Licence: not stated" in text


def test_many_figures_leave_a_card_that_mlflow_takes(evaluation):
    record = evaluation()
    for number in range(100):
        record["metrics"][f"a_metric_of_some_length_{number}"] = record["metrics"]["kl"]
    text = card.model_card(record, "1", "champion", "better", SOURCE)
    assert len(text) <= 5000
    assert "| FID (`fid`) |" in text
    assert "a_metric_of_some_length" not in text
    assert "More figures: `evaluation.json`" in text
    for number in range(100):
        record["metrics"][f"another_metric_{number}"] = record["metrics"]["fid"]
    text = card.model_card(record, "1", "champion", "better", SOURCE)
    assert len(text) <= 5000
    assert "| FID (`fid`) |" in text
    assert "## How to load it" in text


def test_a_person_s_note_stands_above_and_replaces_the_one_before(evaluation):
    text = card.model_card(evaluation(), "1", "challenger", "worse", None)
    once = card.noted(text, "promoted by Ann: looks [better]")
    assert once.splitlines()[0] == "**By a person:** promoted by Ann: looks \\[better\\]."
    twice = card.noted(once, "brought back by Bo: was right")
    assert "Ann" not in twice
    assert twice.splitlines()[2:] == text.splitlines()
