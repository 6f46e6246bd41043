"""How long validation takes: of 50,000 reviews, and of a million rows once their table is there.

The reviews are IMDB's where GENLINE_MIRROR or the cache has them, else as many made-up texts of the
same lengths. Each measurement is a process of its own, imports included; the second has a suite as
`genline init` writes it, once met and once with every fourth row breaking an expectation, and a
version before to tell drift from.

    GENLINE_MIRROR=/folder/of/data .venv/bin/python benchmarks/validation.py
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REVIEWS, ROWS = 50_000, 1_000_000
LIMITS = {"reviews": 30.0, "rows": 15.0, "breaking": 15.0}  # seconds


def project(folder: Path) -> None:
    """A project with the reviews downloaded, and a suite for them."""
    from genline.core.errors import GenlineError
    from genline.stages import download, init

    shutil.copy(ROOT / "params.yaml", folder)
    for part in ("expectations", "catalogue"):
        shutil.copytree(ROOT / "data" / part, folder / "data" / part)
    os.chdir(folder)
    try:
        init.run("imdb", "reviews")
    except GenlineError as error:
        print(f"made-up texts, since IMDB is not at hand ({str(error)[:100]})")
        made(folder / "made.jsonl")
        init.run("made.jsonl", "reviews")
    download.run("reviews")


def made(path: Path) -> None:
    import json

    import numpy as np

    random = np.random.default_rng(0)
    words = np.array([f"w{i}" if i % 3 else f"longer{i}" for i in range(60_000)])
    lengths = np.clip(random.lognormal(5.2, 0.67, REVIEWS), 4, 2500).astype(int)
    with path.open("w") as file:
        for number, length in enumerate(lengths.tolist()):
            text = " ".join(words[np.minimum(random.zipf(1.3, length), 60_000) - 1])
            row = {"text": text, "label": "pos" if number % 2 else "neg"}
            row["split"] = "train" if number % 4 < 2 else "test"
            file.write(json.dumps(row) + "\n")


def reviews(folder: Path) -> float:
    from genline.stages import validate

    os.chdir(folder)
    validate.run("reviews")
    return 0.0


def rows(folder: Path, breaking: bool) -> float:
    """Seconds of what follows the table: expectations, drift, and what is written."""
    table = item_table()
    from genline.data.starting.suite import suite

    file = folder / "rows.yaml"
    file.write_text(suite(table, "image", "items.parquet"))
    start = time.perf_counter()
    from genline.data.validation.drift import compare
    from genline.data.validation.result import validate, write_result
    from genline.data.validation.suite import read_suite
    from genline.data.validation.versions import profile

    before = profile(table.iloc[: ROWS // 2])
    start = time.perf_counter()
    if breaking:
        table.loc[::4, "channels"] = 4
        table.loc[::4, "digest"] = "the same"
    profile(table)
    drift = compare(table, before)
    result = validate("rows", "image", {}, table, read_suite(file, table.columns), drift)
    write_result(folder / "validated", table, result, drift)
    assert result["success"] is not breaking
    return time.perf_counter() - start


def item_table() -> Any:
    import numpy as np
    import pandas as pd

    from genline.data.validation.tables import IMAGE_COLUMNS

    random = np.random.default_rng(0)
    numbers = np.arange(ROWS)
    names = [f"{number:08x}" for number in numbers.tolist()]
    values = {
        "item": [f"pictures/{name}.png" for name in names],
        "file": [f"pictures/{name}.png" for name in names],
        "label": numbers % 10,
        "split": np.where(numbers % 10 < 8, "train", "test"),
        "channels": 3,
        "height": 32,
        "width": 32,
        "min": 0,
        "max": 255,
        "mean": random.normal(120, 30, ROWS),
        "std": random.normal(60, 9, ROWS),
        "entropy": random.uniform(4, 8, ROWS),
        "near_constant": False,
        "digest": [name * 8 for name in names],
        "perceptual_hash": [name * 2 for name in names],
        "equal_across": False,
        "near_across": False,
        "leaked": False,
        "twin": "",
    }
    return pd.DataFrame(values, columns=list(IMAGE_COLUMNS)).astype(IMAGE_COLUMNS)


def measure(name: str, folder: Path) -> None:
    start = time.perf_counter()
    child = [sys.executable, __file__, name, str(folder)]
    done = subprocess.run(child, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{name} failed: {done.stderr[-2000:]}")
    inner, cpu, peak = map(float, done.stdout.split()[-3:])
    seconds = inner or seconds
    limit = LIMITS[name]
    what = {"reviews": "50,000 reviews", "rows": "1 M rows", "breaking": "1 M rows, many break"}
    print(
        f"{what[name]:<22} {seconds:6.1f} s, {seconds / limit:.2f} of the limit of {limit:g} s; "
        f"{cpu:.1f} s of CPU in the whole process; peak {peak:,.0f} MiB",
        flush=True,
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        here = Path.cwd()
        project(folder)
        os.chdir(here)
        for name in LIMITS:
            measure(name, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    # What one of its own processes is for, and where.
    parser.add_argument("name", nargs="?", choices=LIMITS, help=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.name is None:
        main()
    else:
        place = asked.folder
        spent = reviews(place) if asked.name == "reviews" else rows(place, asked.name != "rows")
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(spent, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
