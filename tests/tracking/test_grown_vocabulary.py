"""Texts that grow bring new words: the gate still compares, by really scoring the champion."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from genline.core.files import write_json, write_text
from genline.data.prepared import EOS, UNK, PreparedTexts, load_texts

NAME = "tiny-gan"
OLD = ["sees", "likes", "old", "young", "the", "red", "cat", "dog", "bird", "tree"]
MORE = [*OLD, "moon"]
LINES: dict[str, Any] = {
    "name": "text_file",
    "path": "words.txt",
    "item": "line",
    "encoding": "utf-8",
    "longest": 1000,
    "on_bad_item": "stop",
}
MODEL = {"network": "lstm", "embedding": 4, "hidden": 4}
PARAMS: dict[str, Any] = {
    "seed": 1,
    "runtime": {"device": "cpu", "threads": 1, "precision": "32-true"},
    "datasets": {"words": {"prepare": {"split": "hash"}}},
    "experiments": {
        NAME: {
            "dataset": "words",
            "family": "text_gan",
            "model": MODEL,
            "evaluate": {"samples": 100, "ngram_order": 2, "temperatures": [1.0]},
            "register": {"metric": "perplexity", "margin": 0.0},
        }
    },
}


def prepare(words: list[str], count: int) -> PreparedTexts:
    """``count`` random texts, early words the likelier, and an untrained judge of them."""
    from genline.core.params import parse_section
    from genline.data.engines.ordered import Here
    from genline.data.preparation.config import PrepareTexts
    from genline.data.preparation.folder import write_folder
    from genline.data.preparation.texts import prepare as write
    from genline.data.sources import parts, registry
    from genline.data.sources.config import SOURCES
    from genline.models.evaluators.config import TextEvaluator
    from genline.models.evaluators.language_model import build
    from genline.models.evaluators.store import save_evaluator
    from genline.models.initialisation import seeded

    section = PrepareTexts(
        valid=0.1,
        test=0.3,
        split="hash",
        near_duplicates=1.0,
        vocabulary=40,
        max_tokens=12,
        unknown="drop",
    )
    random = np.random.default_rng(0)
    chances = 1 / np.arange(1, len(words) + 1)
    texts = [
        " ".join(random.choice(words, random.integers(3, 9), p=chances / chances.sum()))
        for _ in range(count)
    ]
    Path("words.txt").write_text("\n".join(texts) + "\n")
    raw, folder = Path("data/raw/words"), Path("data/prepared/words")
    registry.fetch(parse_section(SOURCES["text_file"][0], LINES, "source"), raw)
    source = registry.record(raw)
    write_folder(
        folder, lambda building: write(parts.parts(raw), source, section, 0, building, Here())
    )
    data = load_texts(folder)
    judge = TextEvaluator(embedding=8, hidden=8, steps=1, batch=8, learning_rate=0.1, dropout=0.0)
    with seeded(0):
        weights = build(judge, data.spec).state_dict()
    save_evaluator("models/evaluators/words", judge, data.spec, weights)
    return data


def register(data: PreparedTexts, flat: float) -> dict[str, Any]:
    """A model of the words' frequencies, evened out by ``flat``, through evaluate and register."""
    from genline.models.initialisation import seeded
    from genline.models.store import save_model
    from genline.models.text_gan import build
    from genline.models.text_gan.config import Model
    from genline.stages import evaluate
    from genline.stages import register as stage

    train = data.split("train")
    counts = np.bincount(train.tokens, minlength=data.spec.vocabulary).astype(np.float64)
    counts[EOS] = len(train)
    counts[EOS + 1 :] += 0.1
    counts[UNK] = 1e-6
    bias = torch.tensor((1 - flat) * np.log(counts.clip(1e-6)), dtype=torch.float32)
    section = Model(**MODEL)
    with seeded(0):
        weights = build(section, data.spec).state_dict()
    for name in weights:
        weights[name] = (
            bias
            if name.endswith(".bias") and "lstm" not in name and len(weights[name]) == len(bias)
            else weights[name] * 0.01
        )
    folder = Path("models", NAME)
    save_model(folder, "text_gan", section, data.spec, weights, data.tokenizer_file)
    found = evaluate.judge(NAME, folder, None)
    record = json.loads(json.dumps(found.to_json()))
    record["health"] = {"divergence": {"passed": True, "reason": "not asked here"}}
    write_json(f"reports/evaluation/{NAME}.json", record)
    assert found.findings.items is not None
    write_text(f"reports/items/{NAME}.csv", found.findings.items.to_csv())
    stage.run(NAME)
    promotion: dict[str, Any] = json.loads(Path(f"reports/promotion/{NAME}.json").read_text())
    return promotion


@pytest.fixture
def champion(project: Path) -> dict[str, Any]:
    """Rather even, of texts without the word that comes later."""
    write_text("params.yaml", yaml.safe_dump(PARAMS))
    return register(prepare(OLD, 400), flat=0.6)


def test_a_champion_is_scored_on_texts_with_new_words(champion: dict[str, Any]) -> None:
    assert champion["decision"] == "champion"
    data = prepare(MORE, 600)
    promotion = register(data, flat=0.0)
    assert promotion["decision"] == "champion"
    assert promotion["reason"].startswith("better beyond the noise")
    assert promotion["against"] == champion["digests"]["model"]
    common = promotion["vocabulary"]
    assert common["total"] == len(data.split("test"))
    assert 0.5 * common["total"] < common["texts"] < common["total"]
    assert "the champion has another vocabulary" in promotion["reason"]
    assert promotion["champion"] == promotion["champion_metrics"]["perplexity"]


def test_a_worse_model_is_not_promoted_and_the_score_is_kept_for_the_next(
    champion: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    data = prepare(MORE, 600)
    first = register(data, flat=1.0)
    assert first["reason"].startswith("worse, so not promoted")
    assert "scoring the champion again" in capsys.readouterr().out
    second = register(data, flat=0.9)
    assert "scoring the champion again" not in capsys.readouterr().out
    assert second["vocabulary"] == first["vocabulary"]
    assert second["champion_metrics"] == first["champion_metrics"]
    assert math.isfinite(second["champion"]["value"])


def test_texts_with_too_few_known_words_are_left_to_a_person(
    champion: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    promotion = register(prepare([f"word{'x' * n}" for n in range(1, 9)], 400), 0.0)
    assert promotion["decision"] == "challenger"
    assert promotion["reason"].startswith("not comparable: the champion was scored with other data")
    assert "it can spell 0 of" in capsys.readouterr().err
