"""What tracking costs a training: the same stage with MLflow and without, one after the other.

Each repeat trains `digits-vae` twice in a process of its own, in a temporary folder: once as it is,
with a fresh SQLite database, and once with a run that keeps nothing. Prints the time of the loop
and of the whole stage, and the ratios. What tracking adds outside the loop is nearly the same for
every training: importing MLflow and opening its books. So the share is told for a training of a
stated length, by default of five minutes, and the length from which on it is below the limit.

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
from pathlib import Path

import yaml

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
loop, seconds = train.train, []
def timed(*arguments):
    trained = loop(*arguments)
    seconds.append(trained.seconds)
    return trained
train.train = timed
began = time.monotonic()
train.run("digits-vae")
print(json.dumps([seconds[0], time.monotonic() - began]))
"""


def once(how: str, steps: int) -> list[float]:
    """Seconds of the loop and of the stage, its imports left out."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copytree(ROOT / "data/prepared/digits", place / "data/prepared/digits")
        shutil.copy(ROOT / "dvc.yaml", place)
        (place / "src").symlink_to(ROOT / "src")
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["experiments"]["digits-vae"]["train"]["steps"] = steps
        (place / "params.yaml").write_text(yaml.safe_dump(params))
        done = subprocess.run(
            [sys.executable, "-c", ONCE, how], cwd=place, capture_output=True, text=True
        )
    if done.returncode != 0:
        sys.exit(done.stderr[-2000:])
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("steps", type=int, nargs="?", default=1400, help="default: %(default)s")
    parser.add_argument("minutes", type=float, nargs="?", default=5.0, help="default: %(default)s")
    arguments = parser.parse_args()
    steps, minutes = arguments.steps, arguments.minutes
    found: dict[str, list[list[float]]] = {"without": [], "with": []}
    for _ in range(REPEATS):
        for how in found:
            found[how].append(once(how, steps))
    print(f"digits-vae, {steps} steps, median of {REPEATS}")
    loops, stages = (
        [statistics.median(run[index] for run in found[how]) for how in ("without", "with")]
        for index in (0, 1)
    )
    for name, (bare, tracked) in (("the loop", loops), ("the whole stage", stages)):
        ratio = tracked / bare
        print(f"{name:16} without {bare:7.2f} s  with {tracked:7.2f} s  ratio {ratio:.3f}")
    inside = max(0.0, loops[1] / loops[0] - 1)
    outside = (stages[1] - loops[1]) - (stages[0] - loops[0])
    share = inside + outside / (60 * minutes)
    print(
        f"in the loop {inside:.2%} of it, outside {outside:.2f} s: of a training of {minutes:g} "
        f"minutes {share:.2%}, limit {LIMIT:.0%}"
    )
    if inside < LIMIT:
        print(f"below the limit from {outside / (LIMIT - inside) / 60:.1f} minutes on")


if __name__ == "__main__":
    main()
