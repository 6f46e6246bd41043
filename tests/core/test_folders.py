"""A folder is replaced whole, or stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from genline.core.folders import replaced_folder


def test_the_new_folder_takes_the_place_of_the_old(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    for name in ("first", "second"):
        with replaced_folder(folder) as building:
            (building / name).write_text(name)
            assert not (folder / name).exists()
        assert [path.name for path in folder.iterdir()] == [name]
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_failure_leaves_the_old_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with replaced_folder(folder) as building:
        (building / "old").write_text("old")
    with pytest.raises(KeyboardInterrupt), replaced_folder(folder) as building:
        (building / "new").write_text("half")
        raise KeyboardInterrupt
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
