"""Pickles of arrays, lists and strings, read without running anything of the file's choosing.

``pickle`` calls what the file names. Here a file may name only the makers of NumPy arrays and
bytes, and what it gets are stand-ins that take down shape, type and bytes; the array is made
afterwards.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError

_NUMBERS = frozenset("biuf")


class _Dtype:
    """Stands in for ``numpy.dtype``: the code it was called with, such as ``u1``."""

    def __init__(self, code: Any = "", *flags: Any) -> None:
        self.code = code.decode("latin-1") if isinstance(code, bytes) else str(code)
        self.order = ""

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        self.order = order.decode("latin-1") if isinstance(order, bytes) else str(order)

    def make(self) -> np.dtype[Any]:
        # Only the short codes of plain numbers: no objects, records or names of classes.
        if len(self.code) > 3 or self.code[:1] not in _NUMBERS:
            raise pickle.UnpicklingError(f"an array of '{self.code[:20]}', wanted plain numbers")
        made = np.dtype(self.code)
        return made.newbyteorder(self.order) if self.order in ("<", ">") else made  # type: ignore[arg-type]


class _Array:
    """Stands in for ``numpy.ndarray``; :meth:`make` gives the real one."""

    def __init__(self, *arguments: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def make(self) -> npt.NDArray[Any]:
        _, shape, dtype, fortran, content = self.state
        if isinstance(content, str):
            content = content.encode("latin-1")
        if not isinstance(dtype, _Dtype) or not isinstance(content, bytes):
            raise pickle.UnpicklingError("an array whose content is not bytes")
        made = dtype.make()
        if math.prod(shape) * made.itemsize != len(content):
            raise pickle.UnpicklingError(f"an array of shape {shape} with {len(content)} bytes")
        return np.frombuffer(content, made).reshape(shape, order="F" if fortran else "C")


def _encode(text: Any, encoding: Any) -> bytes:
    """Stands in for ``codecs.encode``, by which Python 3 writes bytes for Python 2 to read."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(f"it encodes something as {str(encoding)[:20]}")
    return text.encode("latin-1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside")


def read_pickle(content: bytes, name: str) -> Any:
    """The lists, dictionaries, bytes, numbers and arrays in a pickle of Python 2 or 3.

    Raises DataError, having run nothing, where it holds anything else or is damaged.
    """
    try:
        return _real(_Unpickler(io.BytesIO(content), encoding="bytes").load(), depth=0)
    # A damaged pickle raises whatever its opcodes meet.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{name}: not a pickle of arrays, lists and strings alone ({reason[:120]})"
        ) from None


def _real(value: Any, depth: int) -> Any:
    if depth > 20:
        raise pickle.UnpicklingError("it is nested more than 20 deep")
    if isinstance(value, _Array):
        return value.make()
    if isinstance(value, dict):
        return {_real(k, depth + 1): _real(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_real(v, depth + 1) for v in value]
    if value is None or isinstance(value, bytes | str | int | float):
        return value
    raise pickle.UnpicklingError(f"it holds a {type(value).__name__.strip('_')}")
