"""The whole line from a clean clone: time and memory against their limits, and reproducibility.

Runs `dvc repro` cold in two clean clones of HEAD, one after the other, in the environment this
script runs in; then once more with nothing changed. Prints each figure, its limit and the ratio.

    .venv/bin/python benchmarks/line.py
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def measure(command: list[str], folder: Path) -> tuple[float, float, str]:
    """Seconds, peak memory of the process tree in GB (sampled), and what it printed."""
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    began, peak = time.monotonic(), 0
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        tree = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                members = [tree, *tree.children(recursive=True)]
                peak = max(peak, sum(p.memory_info().rss for p in members))
            except psutil.NoSuchProcess:
                pass  # one ended while it was looked at
            time.sleep(0.2)
        seconds = time.monotonic() - began
        log.seek(0)
        text = log.read()
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} failed in {folder}:\n{text[-4000:]}")
    return seconds, peak / 1e9, text


def stages_run(text: str) -> int:
    return text.count("Running stage")


def row(name: str, value: float, limit: float, unit: str) -> None:
    print(f"{name:34} {value:8.2f} {unit:3} limit {limit:6.1f} {unit:3} ratio {value / limit:.2f}")


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        locks = []
        for name in ("one", "two"):
            clone = Path(folder) / name
            subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
            seconds, memory, text = measure([str(BIN / "dvc"), "repro"], clone)
            print(f"clone {name}: {stages_run(text)} stages run")
            row("dvc repro, cold", seconds, 360.0, "s")
            row("peak memory of all processes", memory, 3.0, "GB")
            locks.append((clone / "dvc.lock").read_text())
        seconds, _, text = measure([str(BIN / "dvc"), "repro"], clone)
        row(f"dvc repro, {stages_run(text)} stages to run", seconds, 2.0, "s")
        print(f"dvc.lock of both clones identical: {locks[0] == locks[1]}")
        if locks[0] != locks[1]:
            sys.exit(1)


if __name__ == "__main__":
    main()
