"""kill −9 at random moments of every stage: the next ``dvc repro`` ends as if nothing had been.

    python tests/line/kill_campaign.py 100 --seed 1 [--cold]

Each time one stage is run again by force, and at a random moment of it the stage's process, DVC
or the whole process group is killed. Then ``make repro``'s two commands run at once, without the
cache of earlier runs, and everything must be as an undisturbed run left it: ``dvc.lock`` with all
its digests, one registered version, a sound database, no process and no lock left over. Checkpoints
are written ten times a second, so that a killed training has one to go on from.

Processes share the import of their libraries (``warm.py``), so that kills fall on work; ``--cold``
starts each as a person does, at several times the cost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml
from clones import Clone, clean_environment, make_clone
from warm import Cold, Order, Warm

EXPERIMENT = "digits-vae"
STAGES = (
    "download@digits",
    "validate@digits",
    "prepare@digits",
    "fit_evaluator@digits",
    f"train@{EXPERIMENT}",
    f"evaluate@{EXPERIMENT}",
    f"register@{EXPERIMENT}",
    "report",
)
VICTIMS = ("stage", "dvc", "group")
_ORPHAN_SECONDS = 60.0


@dataclass(frozen=True)
class Kill:
    """One killing, and what was wrong after the run that followed it."""

    stage: str
    victim: str
    moment: float  # seconds after DVC was started
    wrong: tuple[str, ...]


class Campaign:
    """A clone in which the line has run once undisturbed, and what it left."""

    def __init__(self, folder: Path, cold: bool = False) -> None:
        self.clone = make_clone(folder / "clone")
        _shrink(self.clone)
        self.environment = clean_environment() | {"PYTHONPATH": str(self.clone.path / "src")}
        self.output = folder / "output"
        self.starter = (Cold if cold else Warm)(self.environment)
        self.run("genline", "check")  # the libraries are imported now
        self.seconds = {stage: self._time(stage) for stage in STAGES}
        self.lock = self.clone.lock()

    def kill(self, stage: str, victim: str, share: float) -> Kill:
        """Kill at ``share``, from 0 to 1, of the time that running the stage again takes."""
        self._forget(stage)
        again = ("dvc", "repro", "--single-item", "--force", "--no-run-cache", stage)
        number = self._start(again, self.output.with_name("killed"))
        moment = share * self.seconds[stage]
        time.sleep(moment)
        _kill(number, victim)
        self.starter.wait(number)
        self.run("genline", "check")  # as `make repro` does
        status, said = self.run("dvc", "repro", "--no-run-cache")
        wrong = [] if status == 0 else [f"dvc repro ended with {status}: {said[-600:]}"]
        return Kill(stage, victim, moment, (*wrong, *self.wrong()))

    def _forget(self, stage: str) -> None:
        """Take what the stage makes out of DVC's cache, which would else bring it back unmade."""
        cache = self.clone.path / ".dvc/cache/files/md5"
        for out in yaml.safe_load(self.lock)["stages"][stage]["outs"]:
            place = cache / out["md5"][:2] / out["md5"][2:]
            if place.suffix == ".dir" and place.is_file():
                for entry in json.loads(place.read_text()):
                    (cache / entry["md5"][:2] / entry["md5"][2:]).unlink(missing_ok=True)
            place.unlink(missing_ok=True)

    def run(self, *command: str) -> tuple[int, str]:
        """Exit status and output of a command that is left alone."""
        status = self.starter.wait(self._start(command, self.output))
        return status, self.output.read_text(errors="replace")

    def _start(self, command: tuple[str, ...], output: Path) -> int:
        folder, printed = str(self.clone.path), str(output)
        return self.starter.start(Order(command, folder, self.environment, printed, printed))

    def wrong(self) -> list[str]:
        """What is not as the undisturbed run left it."""
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while (left := processes(self.clone.path)) and time.monotonic() < deadline:
            time.sleep(0.1)
        found = [f"still runs: {command}" for command in left.values()]
        found += self._checkpoints()
        if self.clone.lock() != self.lock:
            found.append("dvc.lock differs")
        _, said = self.run("dvc", "status", "--json")
        if said.strip() != "{}":
            found.append(f"out of date: {said[-600:]}")
        found += self._locks()
        return found + self._database()

    def _checkpoints(self) -> list[str]:
        """One that is left although its outputs stand was to be deleted in that very moment.

        The next training of its name begins from it and deletes it; the rest of :meth:`wrong`
        then sees that it ends alike.
        """
        if not self._left():
            return []
        print(f"a checkpoint stands beside its outputs: {self._left()}", flush=True)
        for stage in STAGES[3:5]:
            self.run("dvc", "repro", "--single-item", "--force", "--no-run-cache", stage)
        return [f"a checkpoint is left: {path}" for path in self._left()]

    def _left(self) -> list[Path]:
        return list((self.clone.path / ".genline/checkpoints").rglob("*.pt"))

    def _locks(self) -> list[str]:
        """DVC's notes on what is read and written by whom: a dead one counts for nothing."""
        path = self.clone.path / ".dvc/tmp/rwlock"
        notes = json.loads(path.read_text() or "{}") if path.is_file() else {}
        holders = {
            holder["pid"] for place in notes.get("read", {}).values() for holder in place
        } | {holder["pid"] for holder in notes.get("write", {}).values()}
        return [f"DVC's lock is held by {p}" for p in holders if Path(f"/proc/{p}").exists()]

    def _database(self) -> list[str]:
        with closing(sqlite3.connect(self.clone.path / "mlflow.db")) as database:
            sound = database.execute("PRAGMA integrity_check").fetchone()[0]
            versions = database.execute("SELECT count(*) FROM model_versions").fetchone()[0]
            aliases = database.execute(
                "SELECT alias FROM registered_model_aliases ORDER BY alias"
            ).fetchall()
        found = [] if sound == "ok" else [f"mlflow.db: {sound}"]
        if versions != 1 or aliases != [("champion",)]:
            found.append(f"{versions} versions with aliases {aliases}")
        return found

    def _time(self, stage: str) -> float:
        """Seconds that running a stage by itself takes: DVC's start, the stage, DVC's end."""
        began = time.monotonic()
        status, said = self.run("dvc", "repro", "--single-item", stage)
        assert status == 0, said
        return time.monotonic() - began


def processes(folder: Path) -> dict[int, str]:
    """The processes that work in a folder, by their ids."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if folder.resolve() in ((cwd := (place / "cwd").readlink()), *cwd.parents):
                command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if command:  # one that has ended and waits for its parent has none
                    found[int(place.name)] = command
    return found


def _kill(number: int, victim: str) -> None:
    """Kill DVC, whose number it is, the stage that it runs, or the whole group."""
    with suppress(ProcessLookupError):
        if victim == "group":
            os.killpg(number, signal.SIGKILL)
            return
        below = _below(number)
        target = below[-1] if victim == "stage" and below else number
        os.kill(target, signal.SIGKILL)


def _below(parent: int) -> list[int]:
    """The processes below one, nearest first."""
    found: list[int] = []
    for place in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, place.read_text().split()):
                found += [child, *_below(child)]
    return found


def _shrink(clone: Clone) -> None:
    """One data set and one experiment, with checkpoints ten times a second."""
    path = clone.path / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["datasets"] = {"digits": params["datasets"]["digits"]}
    params["experiments"] = {EXPERIMENT: params["experiments"][EXPERIMENT]}
    experiment = params["experiments"][EXPERIMENT]
    experiment["train"]["steps"] = 120
    # So that it is champion: what a failed check does is tried elsewhere.
    experiment["evaluate"]["health"] = {
        "class_kl": 100.0,
        "class_share": 0.0,
        "memorisation": 0.0,
        "copied": 1.0,
        "floors": 10000.0,
        "kl": 0.0,
        "mutual_information": 0.0,
    }
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    (clone.path / "dvc.lock").unlink(missing_ok=True)
    loop = clone.path / "src/genline/training/engine/loop.py"
    text = loop.read_text()
    assert "CHECKPOINT_SECONDS = 20.0" in text
    loop.write_text(text.replace("CHECKPOINT_SECONDS = 20.0", "CHECKPOINT_SECONDS = 0.1"))


def run(folder: Path, kills: int, seed: int, cold: bool = False) -> list[Kill]:
    """``kills`` killings, as evenly over stages and victims as their number allows."""
    campaign = Campaign(folder, cold)
    draw = random.Random(seed)
    done = []
    for number in range(kills):
        stage = STAGES[number % len(STAGES)]
        victim = VICTIMS[number % len(VICTIMS)]  # as 3 does not divide 8, each meets each
        kill = campaign.kill(stage, victim, draw.random())
        done.append(kill)
        print(
            f"{number + 1:3d}/{kills} {stage}: {victim} killed after {kill.moment:.2f} s: "
            f"{'; '.join(kill.wrong) or 'as undisturbed'}",
            flush=True,
        )
        if kill.wrong:  # the next one begins from a sound state
            campaign.run("dvc", "repro")
    campaign.starter.close()
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--cold", action="store_true", help="import nothing ahead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="genline-kills-") as folder:
        done = run(Path(folder), arguments.kills, arguments.seed, arguments.cold)
    good = Counter((kill.stage.partition("@")[0], kill.victim) for kill in done if not kill.wrong)
    count = Counter((kill.stage.partition("@")[0], kill.victim) for kill in done)
    print("\n| stage | " + " | ".join(f"{victim} killed" for victim in VICTIMS) + " |")
    print("|---|" + "---:|" * len(VICTIMS))
    for stage in STAGES:
        name = stage.partition("@")[0]
        cells = [f"{good[name, victim]} of {count[name, victim]}" for victim in VICTIMS]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\n{sum(good.values())} of {len(done)} ended as undisturbed (seed {arguments.seed})")
    return 0 if all(not kill.wrong for kill in done) else 1


if __name__ == "__main__":
    raise SystemExit(main())
