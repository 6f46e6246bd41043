"""How fast texts become token ids, and how near that is to the limit.

Trains byte pairs on the raw texts of a data set and encodes them: as preparation does; by
``tokenizers`` itself, with all cores; by Hugging Face's ``datasets`` with it, where that is
installed; and by the limit of the method, a vocabulary of which every word is a token, so that
words are only split off and looked up. Texts are timed some tens at a time over several passes, and
the fastest pass of each counts, so that a machine that is busy disturbs less; by the clock, and by
the seconds that cores worked.

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

VOCABULARY, MOST = 8000, 2_500  # tokens; texts
PASSES, CHUNK = 6, 25
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


def fastest(encode: Callable[[list[str]], object], texts: list[str]) -> tuple[float, float]:
    """Seconds by the clock and of all cores, both summed over chunks, the least of the passes."""
    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    clock, cores = [float("inf")] * len(chunks), [float("inf")] * len(chunks)
    for _ in range(PASSES):
        for place, chunk in enumerate(chunks):
            began, worked = time.perf_counter(), time.process_time()
            encode(chunk)
            clock[place] = min(clock[place], time.perf_counter() - began)
            cores[place] = min(cores[place], time.process_time() - worked)
    return sum(clock), sum(cores)


def by_words(texts: list[str]) -> tiktoken.Encoding:
    """An encoding of which every word of ``texts`` is a token."""
    find = regex.compile(PATTERN).findall
    words = {word.encode() for text in texts for word in find(text)}
    tokens = {bytes([byte]) for byte in range(256)} | words
    ranks = {token: rank for rank, token in enumerate(sorted(tokens, key=lambda t: (len(t), t)))}
    return tiktoken.Encoding("words", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})


def by_datasets(tokenizer: TextTokenizer, texts: list[str]) -> float:
    """Seconds of ``datasets`` as its guide does it: batches, two processes, to Arrow files."""
    import datasets  # type: ignore[import-not-found]

    fast = tokenizer.scheme.tokenizer
    datasets.disable_progress_bars()

    def encode(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        return {"ids": [e.ids for e in fast.encode_batch_fast(batch["text"])]}

    table = datasets.Dataset.from_dict({"text": texts})
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        found = table.map(
            encode, batched=True, num_proc=2, remove_columns=["text"], load_from_cache_file=False
        )
        found.save_to_disk(folder)
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = Path("data/raw/docstrings")
    parser.add_argument(
        "folder", type=Path, nargs="?", default=default, help="of raw texts (default: %(default)s)"
    )
    folder = parser.parse_args().folder
    texts = texts_of(folder)
    size = sum(len(text.encode()) for text in texts)
    print(f"{folder}: {len(texts):,} texts, {size / 1e6:.1f} MB, {os.cpu_count()} cores")
    tokenizer = TextTokenizer.train(texts, VOCABULARY, "bpe")
    fast = tokenizer.scheme.tokenizer
    ids = tokenizer.scheme.encode(texts)
    same = all(
        np.array_equal(own, np.array(other.ids, np.uint32))
        for own, other in zip(ids, fast.encode_batch_fast(texts), strict=True)
    )
    tokens = sum(map(len, ids))
    print(f"{tokens:,} tokens; ids equal to those of tokenizers: {same}")
    limit = by_words(texts)
    ways: dict[str, Callable[[list[str]], object]] = {
        "genline, one thread": tokenizer.encode_flat,
        "tokenizers, all cores": lambda some: [e.ids for e in fast.encode_batch_fast(some)],
        "limit, one thread": lambda some: [
            limit.encode_to_numpy(text, disallowed_special=()) for text in some
        ],
    }
    own = fastest(ways["genline, one thread"], texts)
    for name, encode in ways.items():
        clock, cores = own if name == "genline, one thread" else fastest(encode, texts)
        print(
            f"{name:<22} {tokens / clock / 1e6:5.2f} M tokens/s, {tokens / cores / 1e6:5.2f} M a "
            f"core-second; genline over it: {clock / own[0]:.2f}, a core {cores / own[1]:.2f}"
        )
    if importlib.util.find_spec("datasets"):
        clock = by_datasets(tokenizer, texts)
        print(
            f"datasets, 2 processes  {tokens / clock / 1e6:5.2f} M tokens/s; genline over it: "
            f"{clock / own[0]:.2f}"
        )
    print(f"genline over the target of {TARGET / 1e6:g} M tokens/s: {tokens / own[0] / TARGET:.2f}")


if __name__ == "__main__":
    main()
