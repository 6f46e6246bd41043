"""What tracking costs a training: the same stage with MLflow's books and without, in turn.

Each repeat trains `digits-vae` twice in a process of its own, in a temporary folder: once as it is,
into a SQLite database that is there already, and once with a run that keeps nothing. The first
training of a project makes that database; what it takes is told by itself.

Prints the time of the loop and of the whole stage, on the clock and of the processor, which other
programs do not change. From the latter comes the share that tracking has of a training of a stated
length, by default of a minute, and the length from which on it is below the limit.

    .venv/bin/python benchmarks/tracking.py [steps [minutes]]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from genline.tracking.store import Store, make_ready

ROOT = Path(__file__).parents[1]
REPEATS, LIMIT = 3, 0.01
ONCE = """
import json, sys, time
from contextlib import contextmanager
from types import SimpleNamespace
import genline
from genline.stages import train
if sys.argv[1] == "without":
    @contextmanager
    def nothing(*_):
        yield SimpleNamespace(row=lambda row: None, trained=lambda *_: None)
    train.training_run = nothing
loop, times = train.train, []
def now():
    return time.monotonic(), time.process_time()
def timed(*arguments):
    times.append(now())
    trained = loop(*arguments)
    times.append(now())
    return trained
train.train = timed
times.append(now())
train.run("digits-vae")
times.append(now())
begun, first, last, ended = times
print(json.dumps([[last[i] - first[i], ended[i] - begun[i]] for i in (0, 1)]))
"""


def once(how: str, steps: int, database: Path) -> list[list[float]]:
    """Seconds of the loop and of the stage without its imports: on the clock, of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copytree(ROOT / "data/prepared/digits", place / "data/prepared/digits")
        shutil.copy(ROOT / "dvc.yaml", place)
        shutil.copy(database, place)
        (place / "src").symlink_to(ROOT / "src")
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["experiments"]["digits-vae"]["train"]["steps"] = steps
        (place / "params.yaml").write_text(yaml.safe_dump(params))
        done = subprocess.run(
            [sys.executable, "-c", ONCE, how], cwd=place, capture_output=True, text=True
        )
    if done.returncode != 0:
        sys.exit(done.stderr[-2000:])
    found: list[list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("steps", type=int, nargs="?", default=1400, help="default: %(default)s")
    parser.add_argument("minutes", type=float, nargs="?", default=1.0, help="default: %(default)s")
    arguments = parser.parse_args()
    steps, minutes = arguments.steps, arguments.minutes
    found: dict[str, list[list[list[float]]]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder).resolve() / "mlflow.db"
        began = time.process_time()
        make_ready(Store(f"sqlite:///{database}", database))
        print(f"making the database, once a project: {time.process_time() - began:.2f} s")
        for _ in range(REPEATS):
            for how in found:
                found[how].append(once(how, steps, database))
    print(f"digits-vae, {steps} steps, median of {REPEATS}")
    spent: list[list[float]] = []
    for index, part in enumerate(("the loop", "the whole stage")):
        for clock, of in enumerate(("clock", "processor")):
            medians = [statistics.median(r[clock][index] for r in found[how]) for how in found]
            spent.append(medians)
            print(
                f"{part:16} {of:9} without {medians[0]:7.2f} s  with {medians[1]:7.2f} s  "
                f"ratio {medians[1] / medians[0]:.3f}"
            )
    loop, stage = spent[1], spent[3]
    inside = max(0.0, loop[1] / loop[0] - 1)
    outside = max(0.0, (stage[1] - loop[1]) - (stage[0] - loop[0]))
    share = inside + outside / (60 * minutes)
    print(
        f"in the loop {inside:.2%} of it, outside {outside:.2f} s: of a training of {minutes:g} "
        f"minutes {share:.2%}, limit {LIMIT:.0%}"
    )
    if inside < LIMIT:
        print(f"below the limit from {outside / (LIMIT - inside):.0f} seconds on")


if __name__ == "__main__":
    main()
