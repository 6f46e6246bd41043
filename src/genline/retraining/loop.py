"""``genline retrain``, step by step. Every step can be run alone, and again without harm.

What a step needs of the one before stands in the project's own files, so that a run that was
killed is gone on with by the next: DVC keeps what is made, ``.genline`` what is half trained.
The order is what keeps a failure harmless: nothing leaves this machine before every output is
made, the branch names no data that the DVC remote lacks, and no alias moves before the branch is
there.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genline.core.errors import TrackingError, nearest
from genline.core.files import write_bytes
from genline.core.params import PARAMS_FILE, load_yaml, parse_section
from genline.retraining import budgets, difference, dvc_notes, pipeline, publication, requests
from genline.retraining.config import Retrain
from genline.retraining.errors import RetrainError
from genline.retraining.git import Git
from genline.retraining.lent import give_back, lent
from genline.retraining.outputs import Committed, Working

_BUSY = Path(".genline/retrain.lock")


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    experiments: tuple[str, ...] = ()  # none: all that is out of date
    budget: str | None = None
    dry_run: bool = False


@dataclass
class Loop:
    """One run of the loop in the project's folder."""

    options: Options
    root: Path = field(default_factory=Path.cwd)

    def __post_init__(self) -> None:
        self.git = Git(self.root)
        self.settings = parse_section(Retrain, load_yaml(PARAMS_FILE).get("retrain", {}), "retrain")
        self._lock = -1
        self._seen: publication.Remote | None = None
        self._unasked: str | None = None  # a result on the branch that may lack its request

    def run(self, only: str | None = None) -> None:
        """All steps in their order, or one. Raises GenlineError with the one line that stops it."""
        with self._alone(), self._prepared():
            if only is not None:
                STEPS[only](self)
                return
            if self.options.dry_run:
                self._foretell()
            if self.settings.promote == "on_merge":
                self.promote()
            if self.check():
                for name in ("pull", "repro", "compare", "push", "publish"):
                    STEPS[name](self)
            else:
                self._offer_again()
            if self.settings.promote == "at_once":
                self.promote()

    def check(self) -> bool:
        """Say what changed since the last result, here or on the branch; whether anything did.

        No remote and no forge is written to.
        """
        remote = self._remote()
        lock_file = self.root / pipeline.LOCK_FILE
        lock = lock_file.read_bytes() if lock_file.is_file() else b""
        causes = self._causes(lock)
        offered = publication.offered(self.git, remote)
        if not causes:
            head = self.git.maybe("rev-parse", "--quiet", "--verify", f"HEAD:{pipeline.LOCK_FILE}")
            now = self.git.run("hash-object", str(pipeline.LOCK_FILE)) if lock else None
            if head == now:
                _say("nothing changed: every output is up to date")
                return False
            if offered is None or self._lock_of(offered) != lock:
                _say("outputs are up to date, but their result is not offered yet")
                return True
        elif offered is None or not self._holds(offered, lock):
            _say(f"{_count(causes)} to run again: {_told(causes)}")
            return True
        _say(f"nothing changed since the result on the branch '{self.settings.branch}'")
        self._unasked = offered
        return False

    def pull(self) -> None:
        """Bring what the DVC remote has."""
        if self._would("pull outputs and runs from the DVC remote"):
            return
        self._need_remote()
        pipeline.pull()

    def repro(self) -> None:
        """Run what is out of date; better models wait as challengers."""
        if self._would("run the stages that are out of date"):
            return
        chosen = [f"register@{name}" for name in self.options.experiments]
        ran = pipeline.repro(chosen, [self._lock])
        if chosen:
            ran += pipeline.repro(["--single-item", "report"], [self._lock])
        _say(f"{_count(ran)} ran")
        sources = [f"download@{name}" for name in load_yaml(PARAMS_FILE)["datasets"]]
        moved = [stage for stage in self._causes() if stage in sources]
        if moved:
            names = ", ".join(stage.partition("@")[2] for stage in moved)
            _say(
                f"the data of {names} changed while this ran: this result is of the data as it "
                "was when it began; run again for the rest"
            )

    def compare(self) -> None:
        """Write the difference to HEAD's data and the champions into ``reports/difference.md``."""
        if self._would(f"write {difference.FILE}"):
            return
        found = self._difference()
        if found is None:
            _say("no data and no model differ from HEAD's")
            return
        folder = self.root / difference.PICTURES
        for left_over in folder.glob("*.png"):
            left_over.unlink()
        for name, content in difference.to_files(found).items():
            write_bytes(self.root / name, content)
        _say(f"{found.title} ({difference.FILE})")

    def push(self) -> None:
        """Send outputs and runs to the DVC remote."""
        if self._would("push outputs and runs to the DVC remote"):
            return
        self._need_remote()
        pipeline.push()

    def publish(self) -> None:
        """Commit lock, params and reports on the branch, push it, and ask to take it."""
        branch = self.settings.branch
        if self._would(f"commit on '{branch}', push it and open or update its pull request"):
            return
        place = requests.place(self.settings, self.git)
        seen = self._seen or publication.look(self.git, self.settings)
        found = self._difference()
        if found is None:
            _say("no data and no model differ from HEAD's: nothing to offer")
            return
        files = publication.written(self.git, self.root)
        files |= difference.to_files(found)
        _say(publication.publish(self.git, self.settings, files, found, place, seen))

    def promote(self) -> None:
        """Make champions of the models that waited: those of main, or at once of the branch."""
        remote = publication.look(self.git, self.settings)
        at_once = self.settings.promote == "at_once" and remote.branch is not None
        if self._would("promote the better models that wait"):
            return
        from genline.tracking import waiting

        files = Committed(self.git, str(remote.branch) if at_once else "HEAD", Path())
        for line in waiting.release(load_yaml(PARAMS_FILE)["experiments"], files.read):
            _say(line)

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        """Refuse, before anything is done, what would stop the last step; then set the budget.

        The budget's values go into the result and do not stay in this folder.
        """
        if self.git.maybe("rev-parse", "--verify", "HEAD") is None:
            raise RetrainError("no git repository with a commit here; retrain needs both")
        dvc_notes.mend()
        for path in give_back(self.root):
            _say(f"{path} is again as it was before a run that was stopped")
        by_hand = publication.changed_by_hand(self.git)
        if by_hand:
            more = f" and {len(by_hand) - 1} more differ" if len(by_hand) > 1 else " differs"
            why = f"{by_hand[0]}{more} from HEAD; commit or undo it first"
            if not self.options.dry_run:
                raise RetrainError(why)
            _say(f"would stop before anything is made: {why}")
        known = load_yaml(PARAMS_FILE)["experiments"] if self.options.experiments else ()
        for name in self.options.experiments:
            if name not in known:
                offered = nearest(name, known)
                raise RetrainError(f"no experiment '{name}' in {PARAMS_FILE}; {offered}")
        # Ahead of the check, which then finds what the budget changes out of date.
        with self._budget():
            yield

    def _budget(self) -> AbstractContextManager[None]:
        if self.options.budget is None:
            return nullcontext()
        values = budgets.read(self.options.budget)
        if self._would(f"set {len(values)} keys of {PARAMS_FILE}"):
            return nullcontext()
        return lent(PARAMS_FILE, budgets.applied(values), self.root)

    def _remote(self) -> publication.Remote:
        """The git remote as it was when this run began."""
        if self._seen is None:
            self._seen = publication.look(self.git, self.settings)
        return self._seen

    def _foretell(self) -> None:
        """Say what would stop a run before it makes anything."""
        for need in (self._need_store, self._need_place):
            try:
                need()
            except RetrainError as error:
                _say(f"would stop before anything is made: {error}")

    def _need_remote(self) -> None:
        """Refuse, before hours of training, what could not be offered afterwards."""
        self._need_store()
        self._need_place()

    def _need_store(self) -> None:
        if not pipeline.has_remote():
            raise RetrainError(
                "no DVC remote is set, so nobody else could read the outputs; "
                "`dvc remote add --default NAME URL` sets one (docs/ci.md)"
            )

    def _need_place(self) -> None:
        requests.place(self.settings, self.git)
        self.git.can_push(self.settings.remote, f"refs/heads/{self.settings.branch}")

    def _causes(self, lock: bytes | None = None) -> dict[str, list[str]]:
        if lock is None:
            lock = (self.root / pipeline.LOCK_FILE).read_bytes()
        return pipeline.out_of_date(lock)

    def _holds(self, commit: str, lock: bytes) -> bool:
        """Whether a result on the branch is of the inputs as they are."""
        theirs = self._lock_of(commit)
        if theirs == lock:
            return False
        return not pipeline.out_of_date(theirs, instead=True)

    def _lock_of(self, commit: str) -> bytes:
        return self.git.raw("cat-file", "blob", f"{commit}:{pipeline.LOCK_FILE}")

    def _offer_again(self) -> None:
        """Ask for a result that was pushed by a run that was stopped before it could ask."""
        settings, commit = self.settings, self._unasked
        if commit is None:
            return
        place = None if self.options.dry_run else requests.place(settings, self.git)
        if place is None or place.known(settings.branch, settings.base, commit):
            return
        _say(publication.offer(settings, commit, publication.kept(self.git, commit), place))

    def _difference(self) -> difference.Difference | None:
        before = Committed(self.git, "HEAD", pipeline.cache_folder())
        params = load_yaml(PARAMS_FILE)
        return difference.compare(params, before, Working(self.root), _champion_samples)

    def _would(self, what: str) -> bool:
        if self.options.dry_run:
            _say(f"would {what}")
        return self.options.dry_run

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One run at a time in a folder. DVC holds the lock as well, should this process die."""
        _BUSY.parent.mkdir(exist_ok=True)
        handle = os.open(_BUSY, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RetrainError(
                    "another retrain, or what it started, is at work in this folder; let it end, "
                    "then run again"
                ) from None
            self._lock = handle
            yield
        finally:
            os.close(handle)


# In their order; promoting comes last at once, and first on a merge.
STEPS: dict[str, Callable[[Loop], Any]] = {
    "check": Loop.check,
    "pull": Loop.pull,
    "repro": Loop.repro,
    "compare": Loop.compare,
    "push": Loop.push,
    "publish": Loop.publish,
    "promote": Loop.promote,
}


def _champion_samples(experiment: str, digest: str) -> Mapping[str, bytes]:
    from genline.tracking import kept_samples

    try:
        return kept_samples.fetch(experiment, digest)
    except TrackingError as error:
        _say(f"{experiment}: the champion's samples cannot be had ({error})")
        return {}


def _count(stages: Sized) -> str:
    return "1 stage" if len(stages) == 1 else f"{len(stages)} stages"


def _told(causes: dict[str, list[str]]) -> str:
    parts: Sequence[str] = [f"{stage} ({why[0]})" for stage, why in causes.items()]
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    return ", ".join(parts[:3]) + more


def _say(line: str) -> None:
    print(f"retrain: {line}", flush=True)
