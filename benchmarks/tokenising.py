"""How fast texts become token ids, and how near that is to the limit.

Trains byte pairs on the raw texts of a data set and encodes them: as preparation does; by
``tokenizers`` itself, with all cores; by Hugging Face's ``datasets`` with it, where that is
installed; and by the limit of the method, a vocabulary of which every word is a token, so that
words are only split off and looked up. Each is timed over several passes, of which the fastest
counts, by the clock and by the seconds that all cores worked.

    .venv/bin/python benchmarks/tokenising.py [data/raw/imdb]
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import regex
import tiktoken

from genline.data.preparation.cleaning import cleaned
from genline.data.preparation.config import PrepareTexts
from genline.data.sources import registry
from genline.data.sources.items import TextItem
from genline.data.tokenizer import TextTokenizer
from genline.data.tokenizer.subwords import PATTERN

VOCABULARY, MOST = 8000, 5_000  # tokens; texts
PASSES, CHUNK = 3, 1000
TARGET = 2.5e6  # tokens a second on two cores
SECTION = PrepareTexts(
    valid=0.1,
    test=0.1,
    near_duplicates=1.0,
    vocabulary=VOCABULARY,
    max_tokens=1024,
    unknown="keep",
    html="strip",
)


def texts_of(folder: Path) -> list[str]:
    found: list[str] = []
    for item in registry.items(folder):
        assert isinstance(item, TextItem)
        found += cleaned(item.text, SECTION)
        if len(found) >= MOST:
            break
    return found


def in_chunks(encode: Callable[[list[str]], object], texts: list[str]) -> Callable[[], None]:
    def run() -> None:
        for start in range(0, len(texts), CHUNK):
            encode(texts[start : start + CHUNK])

    return run


def fastest(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of all cores, the least of each over the passes."""
    clock, cores = [], []
    for _ in range(PASSES):
        before, worked = time.perf_counter(), sum(os.times()[:4])
        run()
        clock.append(time.perf_counter() - before)
        cores.append(sum(os.times()[:4]) - worked)
    return min(clock), min(cores)


def by_words(texts: list[str]) -> tiktoken.Encoding:
    """An encoding of which every word of ``texts`` is a token."""
    find = regex.compile(PATTERN).findall
    words = {word.encode() for text in texts for word in find(text)}
    tokens = {bytes([byte]) for byte in range(256)} | words
    ranks = {token: rank for rank, token in enumerate(sorted(tokens, key=lambda t: (len(t), t)))}
    return tiktoken.Encoding("words", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})


def by_datasets(tokenizer: TextTokenizer, texts: list[str]) -> Callable[[], object]:
    """``datasets`` as its guide does it: mapped in batches over two processes, to Arrow files."""
    import datasets  # type: ignore[import-not-found]

    fast = tokenizer.scheme.tokenizer
    datasets.disable_progress_bars()

    def encode(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        return {"ids": [e.ids for e in fast.encode_batch_fast(batch["text"])]}

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            table = datasets.Dataset.from_dict({"text": texts})
            table = table.map(
                encode,
                batched=True,
                num_proc=2,
                remove_columns=["text"],
                load_from_cache_file=False,
            )
            table.save_to_disk(folder)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = Path("data/raw/docstrings")
    parser.add_argument(
        "folder", type=Path, nargs="?", default=default, help="of raw texts (default: %(default)s)"
    )
    folder = parser.parse_args().folder
    texts = texts_of(folder)
    size = sum(len(text.encode()) for text in texts)
    print(f"{folder}: {len(texts):,} texts, {size / 1e6:.1f} MB")
    began, worked = time.perf_counter(), sum(os.times()[:4])
    tokenizer = TextTokenizer.train(texts, VOCABULARY, "bpe")
    clock, cores = time.perf_counter() - began, sum(os.times()[:4]) - worked
    print(f"train a vocabulary of {VOCABULARY:,}: {clock:.1f} s ({cores:.1f} core-s)")
    fast = tokenizer.scheme.tokenizer
    ids = tokenizer.scheme.encode(texts)
    same = all(
        np.array_equal(own, np.array(other.ids, np.uint32))
        for own, other in zip(ids, fast.encode_batch_fast(texts), strict=True)
    )
    tokens = sum(map(len, ids))
    print(f"{tokens:,} tokens; ids equal to those of tokenizers: {same}")
    limit = by_words(texts)
    ways: dict[str, Callable[[], object]] = {
        "genline": in_chunks(tokenizer.encode_flat, texts),
        "tokenizers, encode_batch_fast": in_chunks(
            lambda some: [e.ids for e in fast.encode_batch_fast(some)], texts
        ),
        "limit: split and look up": in_chunks(
            lambda some: [limit.encode_to_numpy(t, disallowed_special=()) for t in some], texts
        ),
    }
    if importlib.util.find_spec("datasets"):
        ways["datasets with tokenizers"] = by_datasets(tokenizer, texts)
    took = {name: fastest(run) for name, run in ways.items()}
    own = took["genline"]
    for name, (clock, cores) in took.items():
        print(
            f"{name:<30} {tokens / clock / 1e6:6.2f} M tokens/s, "
            f"{tokens / cores / 1e6:6.2f} M a core-second; genline is "
            f"{clock / own[0]:.2f} times as fast, {cores / own[1]:.2f} a core"
        )
    print(f"genline over the target of {TARGET / 1e6:g} M tokens/s: {tokens / own[0] / TARGET:.2f}")


if __name__ == "__main__":
    main()
