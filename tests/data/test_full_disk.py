"""No room left on the disk, at any moment: the file is named, and what stood there stays."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogue_files import serving
from made_pictures import picture

from genline.core.files import digest_tree
from genline.core.params import parse_section
from genline.data.engines.ordered import Here
from genline.data.preparation import images, texts
from genline.data.preparation.config import PrepareImages, PrepareTexts
from genline.data.preparation.folder import write_folder
from genline.data.sources import packed, parts, registry
from genline.data.sources.catalogue import transfer
from genline.data.sources.config import SOURCES

TEXTS = {"name": "text_file", "item": "line", "encoding": "utf-8"}
IMAGES = {"name": "image_folder", "path": "pictures", "folders": [], "channels": 1, "height": 12}
SPLIT = {"valid": 0.2, "test": 0.2}
CLEAN = {"near_duplicates": 1.0, "vocabulary": 500, "max_tokens": 20, "unknown": "keep"}


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process grows beyond ``size`` bytes: writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(packed, "_PART", 1000)
    monkeypatch.setattr(packed, "_ROWS", 40)
    random = np.random.default_rng(0)
    lines = (" ".join(f"w{number}" for number in random.integers(0, 400, 9)) for _ in range(120))
    Path("texts.txt").write_text("\n".join(lines) + "\n")
    Path("pictures").mkdir()
    for number in range(60):
        pixels = random.integers(0, 256, (12, 12)).astype(np.uint8)
        Path(f"pictures/{number}.png").write_bytes(picture(pixels))
    return tmp_path


def download(source: dict[str, Any]) -> None:
    section = parse_section(SOURCES[source["name"]][0], source, "source")
    registry.fetch(section, Path(f"raw-{source['name']}"))


def download_texts(path: str = "texts.txt") -> None:
    download(TEXTS | {"path": path, "longest": 1000, "on_bad_item": "stop"})


def download_images() -> None:
    download(IMAGES | {"width": 12, "fit": "exact", "background": 0, "on_bad_item": "stop"})


def prepare(make: Any, section: Any, raw: Path) -> None:
    source = registry.record(raw)
    write_folder(
        Path("prepared"),
        lambda folder: make(parts.parts(raw), source, section, 1, folder, Here()),
    )


def prepare_texts() -> None:
    section = parse_section(PrepareTexts, SPLIT | CLEAN | {"near_duplicates_by": "minhash"}, "")
    prepare(texts.prepare, section, Path("raw-text_file"))


def prepare_images() -> None:
    section = parse_section(PrepareImages, SPLIT | {"clusters": 2}, "")
    prepare(images.prepare, section, Path("raw-image_folder"))


STEPS = [
    (download_texts, None),
    (download_images, None),
    (prepare_texts, download_texts),
    (prepare_images, download_images),
]


@pytest.mark.parametrize(("step", "before"), STEPS, ids=[step.__name__ for step, _ in STEPS])
def test_wherever_the_room_ends_the_file_is_named_and_the_old_ones_stay(
    project: Path, step: Callable[[], None], before: Callable[[], None] | None
) -> None:
    if before:
        before()
    step()
    digest = digest_tree([project])
    failures = 0
    size = 0
    while True:
        try:
            with file_size_limit(size):
                step()
        except OSError as error:
            assert error.errno == errno.EFBIG, error
            assert error.filename, f"at {size} bytes no file is named"
            failures += 1
            assert digest_tree([project]) == digest
            size = size * 3 // 2 + 100
        else:
            break
    assert failures >= 3
    assert digest_tree([project]) == digest


def test_a_download_without_room_names_its_file_and_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    content = np.random.default_rng(0).bytes(300_000)
    part = tmp_path / "a.part"
    with serving({"a": content}) as (address, _):
        with file_size_limit(100_000), pytest.raises(OSError, match="File too large") as error:
            transfer.fetch(f"{address}a", part, len(content), "a")
        assert error.value.filename == str(part)
        assert 0 < part.stat().st_size <= 100_000
        transfer.fetch(f"{address}a", part, len(content), "a")
    assert part.read_bytes() == content


def test_an_error_of_another_process_still_names_its_file() -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    error.filename = "data/prepared/own/train_tokens.npy"
    assert pickle.loads(pickle.dumps(error)).filename == error.filename


# In a name space of its own, where any user may mount.
IN_LITTLE_ROOM = """
mount -t tmpfs -o size=4k tmpfs room 2>/dev/null || exit 77
exec "$0" -c 'import test_full_disk; test_full_disk.fill_the_room()'
"""


def fill_the_room() -> None:
    """All steps in ``room``, a file system that grows until they end; prints what failed first."""
    os.chdir("room")
    for name in ("texts.txt", "pictures"):
        Path(name).symlink_to(f"../{name}")
    for size in range(4, 400, 16):
        subprocess.run(["mount", "-o", f"remount,size={size}k", "."], check=True)
        before = sorted(map(str, Path().iterdir()))
        try:
            for step, _ in STEPS:
                step()
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
            print(Path(error.filename).name)
            left = sorted(map(str, Path().iterdir()))
            assert not [name for name in left if name.endswith(".tmp")], (before, left)
        else:
            print("done")
            return


def test_on_a_full_file_system_the_file_is_named_and_nothing_is_left(project: Path) -> None:
    (project / "room").mkdir()
    places = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", IN_LITTLE_ROOM, sys.executable],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": places},
    )
    if done.returncode in (1, 77) and "Traceback" not in done.stderr:
        pytest.skip("this user may mount nothing; the limit above stands for it")
    assert done.returncode == 0, done.stderr
    failed = done.stdout.split()
    assert failed[-1] == "done"
    assert len(set(failed)) >= 3, failed
