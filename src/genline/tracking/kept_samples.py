"""The samples of a registered model, which its run keeps."""

from __future__ import annotations

from genline.tracking.names import DIGEST
from genline.tracking.reading import open_reader
from genline.tracking.store import resolve

_NAMES = ("samples.txt", "samples.png")


def fetch(name: str, digest: str) -> dict[str, bytes]:
    """Samples of the default sampler by file name, of the version of ``name`` with these weights.

    Empty where the registry has no such version, or its run keeps none. Raises TrackingError when
    MLflow cannot be read.
    """
    reader = open_reader(resolve())
    for version in reader.versions(name):
        run = reader.run(version.run_id) if version.run_id else None
        if version.tags.get(DIGEST) == digest and run is not None:
            found = {file: reader.artifact(run, f"samples/{file}") for file in _NAMES}
            return {file: content for file, content in found.items() if content is not None}
    return {}
