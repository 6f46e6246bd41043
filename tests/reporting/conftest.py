from __future__ import annotations

from pathlib import Path

import pytest
from finished_line import write_line


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder, the current one, in which every stage but the report has run."""
    monkeypatch.chdir(write_line(tmp_path))
    return tmp_path
