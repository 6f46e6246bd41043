from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from finished_line import write_line

from genline.stages import report


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder in which every stage has run, the report too. Not to be changed."""
    root = write_line(tmp_path_factory.mktemp("finished"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        report.run()
    return root


@pytest.fixture
def line(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to change, the current folder, in which the report has yet to run."""
    root = tmp_path / "line"
    shutil.copytree(finished, root)
    monkeypatch.chdir(root)
    report.PAGE.unlink()
    report.SHORT.unlink()
    return root
