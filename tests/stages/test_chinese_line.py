"""Chinese and mixed-script texts from a file to the report, through every stage but MLflow's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from genline import parameters
from genline.core.files import read_json, write_json
from genline.data.prepared import SPLITS, UNK, load_texts
from genline.data.tokenizer import TextTokenizer
from genline.models.sampling import draw_texts
from genline.models.store import load_model
from genline.reporting.samples import read_texts
from genline.stages import (
    download,
    evaluate,
    fit_evaluator,
    init,
    prepare,
    report,
    train,
    validate,
)

ROOT = Path(__file__).parents[2]
WHO = ["我", "你", "他", "老师", "孩子", "朋友"]
WHEN = ["今天", "昨天", "明天", "早上", "晚上"]
WHERE = ["公园", "学校", "北京", "图书馆", "家里", "商店"]
WHAT = ["看书", "唱歌", "吃饭", "喝茶", "跑步"]
MIXED = ["Python", "GPU", "e-mail"]


def sentences(mixed: bool) -> list[str]:
    """Each of other characters than any other, as far as near-duplicates go."""
    random = np.random.default_rng(0)
    found = []
    for number in range(160):
        parts = [str(random.choice(words)) for words in (WHEN, WHO, WHERE, WHAT, WHERE, WHO, WHAT)]
        if mixed:
            parts.insert(3, f"用{random.choice(MIXED)} {number}")
        found.append("，".join(["".join(parts[:4]), "".join(parts[4:])]) + "。")
    return found


def tiny(kept: str) -> None:
    """Leave one data set and its VAE in params.yaml, and train it for three steps."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["datasets"] = {kept: params["datasets"][kept]}
    experiment = params["experiments"][f"{kept}-vae"]
    params["experiments"] = {f"{kept}-vae": experiment}
    params["datasets"][kept]["evaluator"] |= {"steps": 3, "embedding": 16, "hidden": 16}
    experiment["train"] |= {"steps": 3, "validate_every": 3, "batch": 16}
    experiment["model"] |= {"embedding": 16, "encoder": 16, "decoder": 16}
    experiment["evaluate"] |= {"samples": 50, "importance_samples": 4, "shown": 8}
    params["runtime"]["threads"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(params, allow_unicode=True), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own settings, its code where the stages look for it, and no MLflow."""
    monkeypatch.chdir(tmp_path)
    for file in ("params.yaml", "dvc.yaml", "requirements.lock"):
        shutil.copy(ROOT / file, file)
    shutil.copytree(ROOT / "data/expectations", "data/expectations")
    Path("src").symlink_to(ROOT / "src")

    @contextmanager
    def untracked(*_: Any) -> Iterator[Any]:
        yield SimpleNamespace(row=lambda row: None, trained=lambda *_: None)

    monkeypatch.setattr(train, "training_run", untracked)
    monkeypatch.setattr("genline.tracking.runs.evaluated_run", lambda *_: None)
    return tmp_path


def through(name: str) -> None:
    for stage in (download, validate, prepare):
        stage.run(name)


def test_chinese_texts_go_from_a_file_to_the_report(project: Path) -> None:
    texts = sentences(mixed=False)
    Path("句子.txt").write_text("\n".join(texts), encoding="utf-8")
    init.run("句子.txt", "zh")
    assert "tokenizer: character" in Path("params.yaml").read_text(encoding="utf-8")
    tiny("zh")
    parameters.check()
    through("zh")

    data = load_texts("data/prepared/zh")
    tokenizer = TextTokenizer.load(data.tokenizer_file)
    prepared = [tokenizer.decode(s[i]) for s in map(data.split, SPLITS) for i in range(len(s))]
    assert set(prepared) <= set(texts)
    assert data.meta["lengths"]["characters"] == data.meta["lengths"]["tokens"]

    fit_evaluator.run("zh")
    train.run("zh-vae")
    evaluate.run("zh-vae")
    metrics = read_json("reports/evaluation/zh-vae.json")["metrics"]
    # A Chinese character, a mark and the end mark are a word each.
    assert UNK not in data.split("test").tokens
    for name in ("perplexity", "lm_perplexity", "ngram_perplexity"):
        assert metrics[f"{name}_per_word"]["value"] == pytest.approx(metrics[name]["value"])
    real = read_texts("reports/samples/zh-vae/real.txt")
    assert set(real) <= set(texts)

    promotion = {"experiment": "zh-vae", "decision": "champion", "reason": "the first"}
    figures = {"metric": "perplexity", "candidate": None, "champion": None, "digests": {}}
    write_json("reports/promotion/zh-vae.json", promotion | figures)
    report.run()
    page = Path("reports/index.html").read_text(encoding="utf-8")
    assert real[0] in page
    assert '"Noto Serif CJK SC"' in page
    assert "characters on average" in page
    assert "tokens (character)" in Path("reports/report.md").read_text(encoding="utf-8")
    validation = Path("reports/validation/zh/index.html").read_text(encoding="utf-8")
    assert any(text in validation for text in texts)
    assert "characters" in validation


def test_mixed_scripts_have_byte_pairs_and_come_back_whole(project: Path) -> None:
    texts = sentences(mixed=True)
    Path("mixed.txt").write_text("\n".join(texts), encoding="utf-8")
    init.run("mixed.txt", "mixed")
    assert "tokenizer: bpe " in Path("params.yaml").read_text(encoding="utf-8")
    tiny("mixed")
    through("mixed")
    data = load_texts("data/prepared/mixed")
    tokenizer = TextTokenizer.load(data.tokenizer_file)
    split = data.split("train")
    assert {tokenizer.decode(split[i]) for i in range(len(split))} <= set(texts)
    assert data.meta["unknown_tokens"] == dict.fromkeys(SPLITS, 0.0)
    assert data.meta["lengths"]["tokens"]["mean"] < data.meta["lengths"]["characters"]["mean"]

    train.run("mixed-vae")
    # The tokenizer goes with the model, so that a folder is all that sampling needs.
    drawn = draw_texts(load_model("models/mixed-vae"), 5, 0)
    assert len(drawn) == 5
