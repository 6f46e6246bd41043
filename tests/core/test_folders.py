"""A folder is replaced whole, or stays as it was."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genline.core.errors import DataError
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


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").write_text("old")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if target == folder and (self / "new").exists():
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="No space"), replaced_folder(folder) as building:
        (building / "new").write_text("new")
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_folder_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    (target / "old").write_text("old")
    link.symlink_to(target)
    with replaced_folder(link) as building:
        (building / "new").write_text("new")
    assert link.is_symlink()
    assert [path.name for path in target.iterdir()] == ["new"]


def test_a_file_in_the_place_of_a_folder_is_not_removed(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    place.write_text("mine")
    refused = pytest.raises(DataError, match="is a file where a folder is wanted")
    with refused, replaced_folder(place):
        pass
    assert place.read_text() == "mine"


def test_what_a_killed_process_left_is_swept_and_a_living_one_s_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    code = (
        "import sys, time\n"
        "from genline.core.folders import replaced_folder\n"
        "with replaced_folder(sys.argv[1]) as building:\n"
        "    (building / 'half').write_text('half')\n"
        "    print(building, flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        with replaced_folder(folder) as building:
            (building / "new").write_text("new")
        assert (theirs / "half").exists()
        other.kill()
    assert (theirs / "half").exists()
    of_another = tmp_path / ".letters.x.tmp"
    of_another.mkdir()
    with replaced_folder(folder) as building:
        assert not theirs.exists()
        assert of_another.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".letters.x.tmp", "digits"]


def test_git_and_dvc_ignore_what_a_killed_process_left(tmp_path: Path) -> None:
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(Path(__file__).parents[2] / name, tmp_path)
    left_over = tmp_path / "reports/samples/.vae.x1.tmp"
    left_over.mkdir(parents=True)
    (left_over / "samples.txt").write_text("half")
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    inside = str(left_over.relative_to(tmp_path) / "samples.txt")
    for tool in (["git"], [sys.executable, "-m", "dvc"]):
        done = subprocess.run([*tool, "check-ignore", "-q", inside], cwd=tmp_path, check=False)
        assert done.returncode == 0, tool
