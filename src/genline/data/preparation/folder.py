"""Writing a prepared folder whole: arrays, their digests, and ``meta.json``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.files import digest_file, write_atomic, write_json
from genline.core.folders import replaced_folder

META = "meta.json"


def write_array(folder: Path, name: str, array: npt.NDArray[Any]) -> None:
    write_atomic(folder / f"{name}.npy", lambda file: np.save(file, array, allow_pickle=False))


def write_folder(folder: Path, write: Callable[[Path], dict[str, Any]]) -> None:
    """Let ``write`` fill a new folder and return its meta, then put it in place of ``folder``.

    ``meta.json`` also holds the sha256 of each file.
    """
    with replaced_folder(folder) as building:
        meta = write(building)
        digests = {path.name: digest_file(path) for path in sorted(building.iterdir())}
        write_json(building / META, {**meta, "digests": digests})
