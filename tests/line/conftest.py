from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clones import Clone, Run, make_clone


@pytest.fixture(scope="session")
def cold(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clone, Clone, Run]:
    """Two clones in which the whole line has run from nothing, and what the first one printed."""
    folder: Path = tmp_path_factory.mktemp("line")
    clones = [make_clone(folder / name) for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda clone: clone.run("dvc", "repro"), clones))
    for clone in clones:
        clone.run("git", "add", "-A")
        clone.run("git", "commit", "-qm", "Run the line")
    return clones[0], clones[1], runs[0]


@pytest.fixture
def line(cold: tuple[Clone, Clone, Run]) -> Clone:
    """The first clone, as the cold run left it; a test puts back what it changes."""
    clone = cold[0]
    yield clone
    clone.run("git", "checkout", "-q", "--", ".")
    clone.run("dvc", "checkout", "-q", "--force")
