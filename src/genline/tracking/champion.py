"""The champion's own weights, fetched from the registry and scored again."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genline.core.errors import GenlineError, ModelError, TrackingError
from genline.core.files import digest_file
from genline.models import WEIGHTS
from genline.tracking.names import DIGEST
from genline.tracking.store import one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

# From a model folder and an empty folder for whatever is written: the evaluation, as
# reports/evaluation/<experiment>.json holds it, and the items' file, None where there is none.
Rescore = Callable[[Path, Path], tuple[Mapping[str, Any], Path | None]]


@contextmanager
def scored_again(
    client: MlflowClient, version: ModelVersion, rescore: Rescore
) -> Iterator[tuple[Mapping[str, Any] | None, Path | None]]:
    """A version's evaluation with the present data and judge, and its items' file while it lasts.

    None, after a line on standard error, where the present data is nothing that the model can be
    scored on, or its weights are gone. Raises what MLflow raises.
    """
    with tempfile.TemporaryDirectory(prefix="genline-champion-") as scratch:
        found: tuple[Mapping[str, Any] | None, Path | None] = (None, None)
        try:
            folder = fetch_model(client, version, Path(scratch, "model"))
            Path(scratch, "scored").mkdir()
            found = rescore(folder, Path(scratch, "scored"))
        except GenlineError as error:
            print(
                f"{version.name}: the champion, version {version.version}, cannot be scored again "
                f"({error})",
                file=sys.stderr,
                flush=True,
            )
        yield found


def fetch_model(client: MlflowClient, version: ModelVersion, into: Path) -> Path:
    """The model folder of a version, downloaded below ``into``, which need not exist.

    Raises ModelError with one line when the registry holds other weights than the version is of.
    """
    import mlflow

    into.mkdir(parents=True, exist_ok=True)
    uri = client.get_model_version_download_uri(version.name, str(version.version))
    try:
        place = mlflow.artifacts.download_artifacts(f"{uri}/artifacts", dst_path=str(into))
    except Exception as error:  # the store's own kinds for what is gone
        raise TrackingError(f"its files cannot be had: {one_line(error)}") from None
    folders = [path.parent for path in Path(place).rglob(WEIGHTS)]
    if not folders:
        raise ModelError(f"version {version.version} of {version.name} holds no {WEIGHTS}")
    if digest_file(folders[0] / WEIGHTS) != version.tags.get(DIGEST):
        raise ModelError(
            f"version {version.version} of {version.name}: {WEIGHTS} in the registry is damaged"
        )
    return folders[0]
