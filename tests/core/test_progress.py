from __future__ import annotations

import pytest

from genline.core import progress


def test_the_last_step_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)  # every step is said at once
    with progress.Progress("work", 3) as bar:
        for _ in range(3):
            bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"work: {n}/3 steps" for n in (1, 2, 3)]
