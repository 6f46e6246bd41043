"""What a training ran with: versions of Python and of what the project uses, and the processor."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys

FILE = "pipeline/packages.json"  # the artifact of a run
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def installed() -> dict[str, str]:
    """Versions by name: Python, this package, and each of its dependencies that is installed.

    ``system`` and, once torch is imported, ``cpu`` name what decides roundings.
    """
    try:
        wanted = importlib.metadata.requires("genline") or []
    except importlib.metadata.PackageNotFoundError:  # run from a source tree
        wanted = []
    found = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if "torch" in sys.modules:
        # Kernels are chosen by it, and round as they were written.
        found["cpu"] = sys.modules["torch"].backends.cpu.get_cpu_capability()
    for line in ["genline", *(line for line in wanted if "extra ==" not in line)]:
        match = _NAME.match(line)
        if match is None:
            continue
        try:
            found[match[0]] = importlib.metadata.version(match[0])
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def locked(requirements: str) -> dict[str, str]:
    """Versions by name from the text of a ``requirements.lock``."""
    pinned = (line.split(";")[0].strip() for line in requirements.splitlines())
    pairs = [line.split("==", 1) for line in pinned if "==" in line and not line.startswith("#")]
    return {name.strip(): version.strip() for name, version in pairs}
