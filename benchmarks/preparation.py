"""How fast data of any size is read and prepared, and in how much memory.

Makes texts and pictures of three sizes, runs the stages `download` and `prepare` on them as the
pipeline does, each in a process of its own, and prints seconds, items and megabytes a second, how
many a second of one core, and the peak memory of the stage with all its processes (their
proportional set size, so that what they share counts once). Validation is passed by. With
--compare also what Hugging Face's `datasets` takes for the same work but near-duplicates, from a
virtual environment that has it:

    python -m venv /tmp/hf && /tmp/hf/bin/pip install datasets pillow psutil pyyaml tokenizers
    .venv/bin/python benchmarks/preparation.py --compare /tmp/hf/bin/python
    .venv/bin/python benchmarks/preparation.py --texts 20 80 --images 1000 4000   # smaller

What is made stays in --folder (some 10 GB at the default sizes), and is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml
from PIL import Image

ROOT = Path(__file__).parents[1]
MEGA = 10**6
WORDS = 100_000  # different words of the texts, of Zipf's frequencies
REPEATED = 20  # one text in so many is an earlier one with a word or two changed


def main() -> None:
    arguments = _arguments()
    if arguments.hugging_face:
        kind, path, cache = arguments.hugging_face
        work = hugging_face_texts if kind == "texts" else hugging_face_images
        work(path, cache, arguments.workers)
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    _title()
    for size in arguments.texts:
        path = arguments.folder / f"texts-{size}.txt"
        if not path.exists():
            write_texts(path, size * MEGA)
        source = {"name": "text_file", "path": str(path), "item": "line", "encoding": "utf-8"}
        source |= {"longest": 100_000, "on_bad_item": "stop"}
        prepare = {"near_duplicates": 0.6, "vocabulary": 30_000, "max_tokens": 1024}
        project = _project(arguments, "text", source, prepare | {"unknown": "keep"})
        _stages(project, f"{size} MB of texts", size, "MB")
        if arguments.compare:
            _compare(arguments, "texts", path, f"{size} MB of texts", size, "MB")
    for count in arguments.images:
        path = arguments.folder / f"images-{count}"
        if not path.exists():
            write_images(path, count)
        source = {"name": "image_folder", "path": str(path), "folders": ["label"], "channels": 1}
        source |= {"height": 28, "width": 28, "fit": "exact", "background": 0}
        project = _project(arguments, "image", source | {"on_bad_item": "stop"}, {})
        _stages(project, f"{count:,} pictures", count, "pictures")
        if arguments.compare:
            _compare(arguments, "images", path, f"{count:,} pictures", count, "pictures")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="how fast data is prepared, in how much memory")
    parser.add_argument("--texts", type=int, nargs="*", default=[125, 500, 2000], help="megabytes")
    parser.add_argument("--images", type=int, nargs="*", default=[12_500, 50_000, 200_000])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/genline-benchmark"))
    parser.add_argument("--compare", help="a Python that has Hugging Face's datasets")
    parser.add_argument("--hugging-face", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: the cores")
    return parser.parse_args()


def write_texts(path: Path, size: int) -> None:
    """Lines of 5 to 40 words, about ``size`` bytes."""
    random = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz"))
    words = ["".join(random.choice(letters, length)) for length in random.integers(2, 10, WORDS)]
    shares = 1 / np.arange(1, WORDS + 1)
    shares /= shares.sum()
    written = 0
    before: list[list[str]] = [["nothing"] * 5]
    with path.with_suffix(".part").open("w") as file:
        while written < size:
            lengths = random.integers(5, 41, 10_000)
            drawn = random.choice(WORDS, int(lengths.sum()), p=shares).tolist()
            texts, start = list[list[str]](), 0
            for length in lengths.tolist():
                text = [words[word] for word in drawn[start : start + length]]
                start += length
                if len(texts) % REPEATED == 1:
                    text = [*before[len(texts) % len(before)][:-1], text[0]]
                texts.append(text)
            before = texts
            content = "".join(f"{' '.join(text).capitalize()}.\n" for text in texts)
            written += file.write(content)
    path.with_suffix(".part").rename(path)


def write_images(folder: Path, count: int) -> None:
    """28×28 PNGs of blobs, in ten folders."""
    random = np.random.default_rng(0)
    part = folder.with_suffix(".part")
    for label in range(10):
        (part / str(label)).mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:28, :28]
    for number in range(count):
        y, x, size = random.uniform(6, 22, 3)
        ink = 255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / size)
        noise = random.integers(0, 2, (28, 28))
        image = Image.fromarray((ink * (ink > 20) + noise).clip(0, 255).astype(np.uint8))
        image.save(part / str(number % 10) / f"{number}.png")
    part.rename(folder)


def _project(
    arguments: argparse.Namespace, kind: str, source: dict[str, Any], prepare: dict[str, Any]
) -> Path:
    """A project whose one data set is that."""
    project: Path = arguments.folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(ROOT / "data/expectations", project / "data/expectations")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    name = "digits" if kind == "image" else "docstrings"
    evaluator = params["datasets"][name]["evaluator"]
    params["datasets"]["own"] = {
        "kind": kind,
        "source": source,
        "validate": {"suite": f"data/expectations/{name}.yaml"},
        "prepare": {"valid": 0.05, "test": 0.05, **prepare},
        "evaluator": evaluator,
    }
    params["workers"] = {"count": arguments.workers}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    valid = project / "data/validated/own/result.json"
    valid.parent.mkdir(parents=True)
    valid.write_text(json.dumps({"success": True}))
    return project


def _stages(project: Path, what: str, size: float, unit: str) -> None:
    for stage in ("download", "prepare"):
        command = [str(Path(sys.executable).with_name("genline")), stage, "own"]
        _row(f"{what}, {stage}", size, unit, *_measured(command, project))


def _compare(
    arguments: argparse.Namespace, kind: str, path: Path, what: str, size: float, unit: str
) -> None:
    cache = arguments.folder / "hugging-face"
    shutil.rmtree(cache, ignore_errors=True)
    count = arguments.workers or len(os.sched_getaffinity(0))
    command = [arguments.compare, __file__, "--workers", str(count)]
    command += ["--hugging-face", kind, str(path.resolve()), str(cache)]
    _row(f"{what}, datasets", size, unit, *_measured(command, arguments.folder))


def hugging_face_texts(path: str, cache: str, count: int) -> None:
    """Cleaned, split, and encoded by a word vocabulary of train; near-duplicates stay."""
    from datasets import load_dataset  # type: ignore[import-not-found]
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.trainers import WordLevelTrainer

    data = load_dataset("text", data_files=path, split="train", cache_dir=cache)
    data = data.map(_cleaned, batched=True, num_proc=count)
    data = data.train_test_split(test_size=0.1, seed=1)
    tokenizer = Tokenizer(WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    trainer = WordLevelTrainer(vocab_size=30_000, special_tokens=["<unk>"], show_progress=False)
    train = data["train"]
    batches = (train[start : start + 1000]["text"] for start in range(0, len(train), 1000))
    tokenizer.train_from_iterator(batches, trainer)
    encode = partial(_encoded, tokenizer)
    data.map(encode, batched=True, num_proc=count, remove_columns=["text"]).save_to_disk(
        f"{cache}/prepared"
    )


def _cleaned(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    composed = (unicodedata.normalize("NFC", text) for text in rows["text"])
    return {"text": [" ".join(text.split()) for text in composed]}


def _encoded(tokenizer: Any, rows: dict[str, list[str]]) -> dict[str, list[list[int]]]:
    encoded = tokenizer.encode_batch_fast(rows["text"], add_special_tokens=False)
    return {"ids": [encoding.ids for encoding in encoded]}


def hugging_face_images(path: str, cache: str, count: int) -> None:
    """Decoded to bytes, and split."""
    from datasets import load_dataset

    data = load_dataset("imagefolder", data_dir=path, split="train", cache_dir=cache)
    data = data.map(_decoded, batched=True, num_proc=count, remove_columns=["image"])
    data.train_test_split(test_size=0.1, seed=1).save_to_disk(f"{cache}/prepared")


def _decoded(rows: dict[str, list[Any]]) -> dict[str, list[bytes]]:
    return {
        "pixels": [np.asarray(image.convert("L"), np.uint8).tobytes() for image in rows["image"]]
    }


def _measured(command: list[str], folder: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds, and the peak of memory in MB."""
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = psutil.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    peak, seconds = 0.0, dict[int, float]()
    while process.poll() is None:
        total = 0.0
        for one in _tree(process):
            try:
                used = one.cpu_times()
                seconds[one.pid] = used.user + used.system
                total += one.memory_full_info().pss
            except psutil.Error:  # it has just ended
                continue
        peak = max(peak, total)
        time.sleep(0.2)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.monotonic() - began, sum(seconds.values()), peak / MEGA


def _tree(process: psutil.Process) -> Iterator[psutil.Process]:
    yield process
    try:
        yield from process.children(recursive=True)
    except psutil.Error:
        return


def _title() -> None:
    print(f"{'':32} {'seconds':>8} {'a second':>18} {'a core second':>18} {'peak MB':>8}")


def _row(what: str, size: float, unit: str, wall: float, cpu: float, peak: float) -> None:
    rates = [f"{size / seconds:,.1f} {unit}" for seconds in (wall, cpu)]
    print(f"{what:32} {wall:8.1f} {rates[0]:>18} {rates[1]:>18} {peak:8.0f}", flush=True)


if __name__ == "__main__":
    main()
