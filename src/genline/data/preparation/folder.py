"""Writing a prepared folder whole: arrays, their digests, and ``meta.json``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from genline.core.files import OutputFile, digest_file, write_json
from genline.core.folders import replaced_folder

META = "meta.json"
SCRATCH = "scratch"  # in the folder while it is made


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """As ``np.save``."""
    write_blocks(path, array.dtype, array.shape, [array])


def write_blocks(
    path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...], blocks: Iterable[npt.NDArray[Any]]
) -> None:
    """One array of ``shape`` out of its parts, of which memory holds one."""
    with OutputFile(path) as file:
        write_header(file, dtype, shape)
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype).data)


def write_header(file: BinaryIO, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> None:
    """What stands before the numbers of an array in a ``.npy`` file."""
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def write_folder(folder: Path, write: Callable[[Path], dict[str, Any]]) -> None:
    """Let ``write`` fill a new folder and return its meta, then put it in place of ``folder``.

    ``meta.json`` also holds the sha256 of each file; what stands in ``SCRATCH`` goes.
    """
    with replaced_folder(folder) as building:
        meta = write(building)
        shutil.rmtree(building / SCRATCH, ignore_errors=True)
        digests = {path.name: digest_file(path) for path in sorted(building.iterdir())}
        write_json(building / META, {**meta, "digests": digests})
