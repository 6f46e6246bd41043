"""A model folder as an MLflow model: code, safetensors and exact requirements, no pickle."""

from __future__ import annotations

import importlib.metadata
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import genline
from genline.tracking.names import DIGEST

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

# What sampling imports; the rest of the project's dependencies is not needed to serve.
_REQUIRED = ("mlflow", "numpy", "pandas", "pydantic", "pyyaml", "safetensors", "torch")
# The code that sampling takes: a third of all, of which each version keeps a copy.
SERVED = (
    *("__init__.py", "core", "models"),
    *(f"data/{name}" for name in ("__init__.py", "prepared.py", "words.py", "tokenizer")),
)
_LOGGING_SECONDS = 600.0  # a half-made model that is younger may be in the making elsewhere
_REQUIRED_BY = {"image": ("pillow",), "text": ("tiktoken", "tokenizers")}


@cache  # a package's version is read out of its whole description
def requirements(kind: str) -> tuple[str, ...]:
    """``name==version`` of what serving a model of that kind needs, as installed here."""
    names = sorted((*_REQUIRED, *_REQUIRED_BY[kind]))
    # A local part such as +cpu names a build that package indexes do not hold.
    versions = {name: importlib.metadata.version(name).partition("+")[0] for name in names}
    return tuple(f"{name}=={version}" for name, version in versions.items())


def logged(client: MlflowClient, place: str, run_id: str, digest: str) -> str | None:
    """The ``models:/`` URI of a model that a registration which was cut short has left whole.

    What it has left half-done is deleted, once it is too old to be another machine's at work: until
    then it is left beside the one that is made. ``place`` is the id of the MLflow experiment.
    """
    found = client.search_logged_models([place], f"tags.`{DIGEST}` = '{digest}'")
    mine = [model for model in found if model.source_run_id == run_id]
    for model in mine:
        age = time.time() - model.creation_timestamp / 1000
        if str(model.status) != "READY" and age > _LOGGING_SECONDS:
            client.delete_logged_model(model.model_id)
    return next((model.model_uri for model in mine if str(model.status) == "READY"), None)


def log(folder: Path, kind: str, experiment: str, run_id: str, digest: str) -> str:
    """Log the model in ``folder`` as an output of a run, and return its ``models:/`` URI.

    ``digest`` is that of its weights. Goes to MLflow's current tracking store and experiment.
    """
    import mlflow

    with _code() as code, warnings.catch_warnings():
        # Of Python type hints, which would check the input a second time: the signature does it.
        warnings.simplefilter("ignore")
        info = mlflow.models.Model.log(
            artifact_path=None,
            flavor=_Pyfunc,
            flavor_name="mlflow.pyfunc",
            validate_serving_input=False,
            name=experiment,
            run_id=run_id,
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={"model": str(folder)},
            code_paths=[str(code)],
            pip_requirements=list(requirements(kind)),
            signature=_signature(kind),
            input_example=_example(),
            tags={DIGEST: digest},
        )
    return str(info.model_uri)


@contextmanager
def _code() -> Iterator[Path]:
    """The package ``genline`` as far as :data:`SERVED` goes: links, which MLflow follows."""
    source = Path(genline.__file__).parent
    with tempfile.TemporaryDirectory(prefix="genline-code-") as folder:
        package = Path(folder, "genline")
        for name in SERVED:
            place = package / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(source / name)
        yield package


class _Pyfunc:
    """MLflow's own flavour. ``Model.log`` alone reads ``validate_serving_input``: True would load
    the model, and torch with it, for a warning that nobody sees."""

    @staticmethod
    def save_model(validate_serving_input: bool, **settings: Any) -> None:
        import mlflow.pyfunc

        mlflow.pyfunc.save_model(**settings)


def _signature(kind: str) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    asked = Schema(
        [
            ColSpec(DataType.long, "n"),
            ColSpec(DataType.long, "seed"),
            ColSpec(DataType.string, "variant", required=False),
            ColSpec(DataType.double, "temperature", required=False),
        ]
    )
    given = Schema([ColSpec(DataType.long, "request"), ColSpec(DataType.string, kind)])
    return ModelSignature(inputs=asked, outputs=given)


def _example() -> Any:
    import pandas as pd

    return pd.DataFrame({"n": [4], "seed": [0]})
