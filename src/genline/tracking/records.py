"""What the files of one experiment say: the record that MLflow is a view of."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from genline.core.errors import DataError, GenlineError, ParamsError
from genline.core.files import digest_value, read_json
from genline.core.params import PARAMS_FILE, load_yaml, parse_section
from genline.models import WEIGHTS
from genline.tracking import provenance
from genline.tracking.weights import model_digest

Row = dict[str, float]
_USED = ("seed", "runtime", "dataset", "family", "model", "train")


@dataclass(frozen=True)
class Files:
    """One experiment's files, as far as they are about one and the same model.

    ``params`` are those it was trained with; ``folder`` is None where the weights are not here;
    ``notes`` say what does not fit together, one sentence each.
    """

    experiment: str
    dataset: str
    family: str
    params: Mapping[str, Any]
    model: str | None  # digest of the weights
    data: str | None  # digest of the prepared data
    folder: Path | None
    curve: list[Row] = field(default_factory=list)
    evaluation: Mapping[str, Any] | None = None
    promotion: Mapping[str, Any] | None = None
    samples: Path | None = None
    notes: tuple[str, ...] = ()


def experiments() -> list[str]:
    """The experiments of params.yaml."""
    return list(load_yaml(PARAMS_FILE)["experiments"])


def read_files(experiment: str) -> Files:
    """The files of ``experiment`` in the current folder; what is missing is left out.

    Raises ModelError or DataError with one line for a file that is there and damaged.
    """
    params = used_params(experiment)
    evaluation = _optional(Path(f"reports/evaluation/{experiment}.json"))
    told = {**(evaluation or {}), **params}
    if "dataset" not in told or "family" not in told:
        raise ParamsError(f"{PARAMS_FILE}: experiments.{experiment} names no dataset or no family")
    dataset = str(told["dataset"])
    promotion = _optional(Path(f"reports/promotion/{experiment}.json"))
    place = Path("models", experiment)
    folder = place if (place / WEIGHTS).is_file() else None
    notes: list[str] = []
    model = None
    if folder is not None:
        model = model_digest(folder)
    elif evaluation is not None:
        model = evaluation["digests"]["model"]
        notes.append(f"models/{experiment} is not here: `dvc pull` brings it")
    if evaluation is not None and evaluation["digests"]["model"] != model:
        notes.append("its evaluation is of other weights: `dvc repro` evaluates these")
        evaluation = None
    if promotion is not None and promotion["digests"]["model"] != model:
        notes.append("its promotion is of other weights: `dvc repro` registers these")
        promotion = None
    samples = Path(f"reports/samples/{experiment}")
    return Files(
        experiment,
        dataset,
        str(told["family"]),
        params,
        model,
        evaluation["digests"]["data"] if evaluation is not None else _data_digest(dataset),
        folder,
        _curve(Path(f"reports/training/{experiment}.csv")) if model is not None else [],
        evaluation,
        promotion,
        samples if evaluation is not None and samples.is_dir() else None,
        tuple(notes),
    )


def files_of(evaluation: Mapping[str, Any], samples: Path | None = None) -> Files:
    """The files beside an evaluation, or what it says by itself where they are of other weights."""
    experiment, digests = evaluation["experiment"], evaluation["digests"]
    alone = Files(
        experiment,
        evaluation["dataset"],
        evaluation["family"],
        {},
        digests["model"],
        digests["data"],
        None,
    )
    with suppress(GenlineError, OSError, KeyError, TypeError):
        files = read_files(experiment)
        # Files.model is None for a curve and parameters that no weights here vouch for.
        alone = files if files.model == digests["model"] else alone
    return replace(
        alone, evaluation=evaluation, data=digests["data"], samples=samples or alone.samples
    )


def used_params(experiment: str) -> dict[str, Any]:
    """The parameters of the last training: as ``dvc.lock`` has them, else as params.yaml has."""
    flat = provenance.locked_params(f"train@{experiment}")
    if flat is None:
        params = load_yaml(PARAMS_FILE)
        section = params["experiments"][experiment]
        found = {"seed": params.get("seed"), "runtime": params.get("runtime"), **section}
    else:
        prefix = f"experiments.{experiment}."
        found = {key.removeprefix(prefix): value for key, value in flat.items()}
    with suppress(GenlineError, ImportError, KeyError, TypeError):
        return _completed(found)
    # Of other code than this: shown as they stand.
    return {key: found[key] for key in _USED if found.get(key) is not None}


def _completed(found: Mapping[str, Any]) -> dict[str, Any]:
    """With defaults filled in, as training uses and logs them."""
    from genline.training.engine.devices import Runtime

    config = importlib.import_module(f"genline.models.{found['family']}.config")
    runtime = parse_section(Runtime, found["runtime"], "runtime")
    model = parse_section(config.Model, found["model"], "model")
    train = parse_section(config.Train, found["train"], "train")
    return {
        "seed": found["seed"],
        "runtime": runtime.model_dump(),
        "dataset": found["dataset"],
        "family": found["family"],
        "model": model.model_dump(),
        "train": train.model_dump(),
    }


def _curve(path: Path) -> list[Row]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [{k: float(v) for k, v in row.items() if v} for row in rows]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a training curve ({error}); `dvc repro` writes it") from None


def _data_digest(dataset: str) -> str | None:
    meta = _optional(Path(f"data/prepared/{dataset}/meta.json"))
    return None if meta is None else digest_value(meta)


def _optional(path: Path) -> Any:
    return read_json(path) if path.is_file() else None
