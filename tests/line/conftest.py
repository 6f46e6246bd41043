import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clones import Clone, Run, make_clone


@pytest.fixture(scope="session")
def cold(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clone, Clone, Run]:
    """Two clones in which the whole line has run from nothing, and what the first one printed.

    The first as a person runs it, every stage from the start of its interpreter on.
    """
    folder: Path = tmp_path_factory.mktemp("line")
    one, two = (make_clone(folder / name) for name in ("one", "two"))
    for clone in (one, two):  # with another run's lock, DVC would write that anew after each stage
        (clone.path / "dvc.lock").unlink()
    with ThreadPoolExecutor(2) as pool:
        runs = pool.submit(one.run_cold, "dvc", "repro"), pool.submit(two.run, "dvc", "repro")
        first, _ = (run.result() for run in runs)
    for clone in (one, two):
        clone.run("git", "add", "-A")
        clone.run("git", "commit", "-qm", "Run the line")
    return one, two, first


@pytest.fixture
def line(cold: tuple[Clone, Clone, Run], tmp_path: Path) -> Iterator[Clone]:
    """The first clone, as the cold run left it; what a test changes is put back after it."""
    clone = cold[0]
    # Neither git nor DVC keeps these: they say what was done to the registry of this clone.
    registered, kept = clone.path / "reports/registered", tmp_path / "registered"
    shutil.copytree(registered, kept)
    before = _stamps(clone)
    yield clone
    clone.run("git", "checkout", "-q", "--", ".")
    if _stamps(clone) != before:
        clone.run("dvc", "checkout", "-q", "--force")
        shutil.rmtree(registered)
        shutil.copytree(kept, registered)


def _stamps(clone: Clone) -> dict[Path, tuple[int, int]]:
    """What tells whether an output was written, made or taken away."""
    return {
        path: ((found := path.lstat()).st_mtime_ns, found.st_ino)
        for folder in ("data", "models", "reports")
        for path in (clone.path / folder).rglob("*")
    }
