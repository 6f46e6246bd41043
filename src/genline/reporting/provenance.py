"""Where the results come from: digests, the parameters of each experiment, package versions."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

from genline.reporting.validation.skeleton import plain

# Those whose version can move a figure.
_PACKAGES = ("genline", "torch", "numpy", "scipy", "scikit-learn", "tokenizers")


def versions() -> list[tuple[str, str]]:
    """(package, version) of Python and the installed packages that decide the figures."""
    found = [("Python", platform.python_version())]
    for package in _PACKAGES:
        try:
            found.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def flat(params: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested parameters as (dotted key, value) pairs, in their own order."""
    pairs: list[tuple[str, str]] = []
    for key, value in params.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            pairs += flat(value, f"{name}.")
        else:
            # As params.yaml has it: a parameter is not rounded.
            number = isinstance(value, int | float) and not isinstance(value, bool)
            pairs.append((name, repr(value) if number else plain(value)))
    return pairs
