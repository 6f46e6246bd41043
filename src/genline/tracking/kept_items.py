"""The likelihoods of the test items, kept beside a version for later ones to be paired with.

They are an artifact of the version's run under the digest of their content: a model that is
scored again leaves what an earlier score left as it was.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from genline.core.files import digest_file
from genline.evaluation.items import Items, read_items

if TYPE_CHECKING:
    from mlflow import MlflowClient

_FOLDER = "items"


def keep(client: MlflowClient, run_id: str | None, path: Path) -> None:
    """Keep the file with the run; a version that somebody made without one keeps nothing."""
    if run_id is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder, f"{digest_file(path)}.csv")
        named.write_bytes(path.read_bytes())
        client.log_artifact(run_id, str(named), _FOLDER)


def fetch(client: MlflowClient, run_id: str | None, digest: str) -> Items | None:
    """What was kept with the run under ``digest``; None where it is gone or was never kept."""
    from mlflow.exceptions import MlflowException

    if not digest or run_id is None:
        return None
    name = f"{_FOLDER}/{digest}.csv"
    try:
        names = {found.path for found in client.list_artifacts(run_id, _FOLDER)}
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # the run was deleted for good
            return None
        raise
    if name not in names:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(client.download_artifacts(run_id, name, folder))
        return read_items(path) if digest_file(path) == digest else None
