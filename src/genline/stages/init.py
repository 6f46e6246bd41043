"""``genline init --from PATH``: new data put into params.yaml, with settings and expectations.

The data are read once, wholly, as the download stage would, so that what is wrong with them is
said now. The evaluator and the experiments are those of the project's first data set of the same
kind, to begin with.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genline import parameters
from genline.core.errors import DataError, ParamsError
from genline.core.files import write_text
from genline.core.params import PARAMS_FILE, load_yaml, parse_section
from genline.data.engines.config import read_workers
from genline.data.engines.start import start
from genline.data.sources import registry
from genline.data.sources.config import SOURCES, Source
from genline.data.sources.own.config import Table
from genline.data.starting import settings
from genline.data.starting.blocks import block, insert, limited, written
from genline.data.starting.look import look
from genline.data.starting.suite import suite
from genline.data.validation.across import relate
from genline.data.validation.config import nearness
from genline.data.validation.tables import image_table, text_table

SUITES = Path("data/expectations")
_FEWEST = {"image": 10, "text": 100}  # of fewer no split, and no figure, says anything
_LOOKED_AT = 20_000  # texts, spread over all, that tell what vocabulary they need


@dataclass
class _Sample:
    """Every so many of the items that pass, and the splits of all."""

    every: int
    items: list[Any] = field(default_factory=list)
    splits: set[str] = field(default_factory=set)

    def passing(self, items: Iterable[Any]) -> Iterator[Any]:
        for number, item in enumerate(items):
            self.splits.add(item.keys.split)
            if number % self.every == 0:
                self.items.append(item)
            yield item


def run(origin: str, name: str | None, skip: bool = False) -> None:
    """Add a data set called ``name`` (by default after its path) from what lies at ``origin``.

    ``skip``: leave out items that cannot be read, where the source can. Raises DataError when
    nothing known lies there, an item cannot be read or there are too few, ParamsError when the name
    is taken; then nothing has been written.
    """
    found = look(_near(origin))
    name = name or _name(origin)
    params = load_yaml(PARAMS_FILE)
    if name in params["datasets"]:
        raise ParamsError(f"params.yaml: there is a dataset '{name}' already; choose --name")
    kind, source = found.kind, found.source
    if skip and "on_bad_item" in source:
        source = source | {"on_bad_item": "skip"}
    section: Source = parse_section(SOURCES[source["name"]][0], source, f"datasets.{name}.source")
    with tempfile.TemporaryDirectory() as temporary:
        raw = Path(temporary) / "raw"
        with start(read_workers(params)) as engine:
            registry.fetch(section, raw, engine)
        record = registry.record(raw)
        if record["items"] < _FEWEST[kind]:
            raise DataError(
                f"{origin}: holds {_counted(record)}, too few for a model: {_FEWEST[kind]} or more"
            )
        sample = _Sample(-(-record["items"] // _LOOKED_AT))
        items: Any = sample.passing(registry.items(raw))
        table = image_table(items, record["levels"]) if kind == "image" else text_table(items)
        relate(table, lambda: registry.items(raw), kind, nearness(kind))
    if kind == "image":
        prepare = settings.prepare_images(sample.splits, bool(record["classes"]))
    else:
        prepare = settings.prepare_texts(sample.items, sample.splits)
    text = PARAMS_FILE.read_text(encoding="utf-8")
    added, experiments = _blocks(text, params, name, section, prepare, record["items"])
    text = insert(text, "datasets", added)
    for experiment in experiments:
        text = insert(text, "experiments", experiment)
    _write(
        text,
        SUITES / f"{name}.yaml",
        suite(table.rows, kind, f"data/validated/{name}/items.parquet"),
    )
    _say(name, section, record, found.told, experiments)


def _near(origin: str) -> str:
    """A path within the project as it is from there, so that the project can be moved."""
    path, here = Path(origin), Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else origin


def _name(origin: str) -> str:
    stem = Path(origin).name.split(".")[0].lower()
    name = re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")
    if not name:
        raise ParamsError(f"no name can be made of '{origin}'; give one with --name")
    return name


def _blocks(
    text: str,
    params: Any,
    name: str,
    source: Source,
    prepare: str,
    count: int,
) -> tuple[str, list[str]]:
    """The data set's lines, and those of its experiments."""
    kind = source.kind
    alike = [d for d, section in params["datasets"].items() if section.get("kind") == kind]
    evaluator = block(text, "datasets", alike[0], "evaluator") if alike else ""
    if not evaluator:
        raise ParamsError(
            f"params.yaml: no dataset of {kind}s whose evaluator could serve as a pattern; write "
            "one as docs/your-data.md shows"
        )
    added = (
        f"  {name}:\n    kind: {kind}\n    source:\n{written(source, 6)}"
        f"    validate:\n      suite: {(SUITES / f'{name}.yaml').as_posix()}  "
        f"# the expectations it must meet, a YAML file\n{prepare}{_small(evaluator, count)}"
    )
    return added, [
        _small(
            _renamed(block(text, "experiments", pattern), pattern, f"{name}-{family}", name), count
        )
        for family, pattern in _patterns(params, alike)
    ]


def _patterns(params: Any, alike: list[str]) -> list[tuple[str, str]]:
    """vae and gan, and the first experiment of each on data of the same kind."""
    found: dict[str, str] = {}
    for experiment, section in params["experiments"].items():
        if section.get("dataset") in alike:
            found.setdefault(str(section["family"]).rsplit("_", 1)[1], experiment)
    return list(found.items())


def _renamed(lines: str, old: str, new: str, dataset: str) -> str:
    lines = lines.replace(f"  {old}:", f"  {new}:", 1)
    return re.sub(r"(?m)^    dataset: \S+", f"    dataset: {dataset}", lines, count=1)


def _small(lines: str, count: int) -> str:
    """With batches and samples that so few items allow."""
    train = max(1, count // 2)
    for key in ("batch", "samples", "validate_texts"):
        lines = limited(lines, key, train)
    return lines


def _write(text: str, suite_file: Path, expectations: str) -> None:
    """Both files; the suite goes again when the new params.yaml is found not to be valid."""
    if suite_file.exists():
        raise ParamsError(f"{suite_file}: exists already; choose --name, or take it away")
    write_text(suite_file, expectations)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            candidate = Path(temporary) / PARAMS_FILE.name
            write_text(candidate, text)
            parameters.check(candidate)
    except ParamsError:
        suite_file.unlink()
        raise
    write_text(PARAMS_FILE, text)


def _counted(record: dict[str, Any]) -> str:
    """How many items there are, and how many could not be read."""
    count, kind = record["items"], record["kind"]
    skipped = record.get("skipped", {"count": 0})
    left = f" ({skipped['count']:,} skipped: {skipped['first'][0]}, …)" if skipped["count"] else ""
    return f"{count:,} {kind}{'' if count == 1 else 's'}{left}"


def _say(
    name: str, source: Source, record: dict[str, Any], told: str, experiments: list[str]
) -> None:
    decided = f"; {told}" if told else ""
    labels = f", {record['classes']} classes" if record.get("classes") else ""
    if source.kind == "image" and not labels:
        labels = " without labels: prepare.clusters makes groups of like ones for the judge"
    print(f"{name}: {_counted(record)}{labels}, read as {source.name}{decided}")
    if isinstance(source, Table):
        columns = (f"{meaning} '{column}'" for meaning, column in source.columns.items())
        print(f"  columns: {', '.join(columns)}")
    print(f"  written: datasets.{name} in params.yaml, {SUITES / f'{name}.yaml'}")
    for experiment in experiments:
        print(f"  written: experiments.{experiment.split(':')[0].strip()} in params.yaml")
    if not experiments:
        print(
            f"  params.yaml has no experiment on {source.kind}s to copy; write one", file=sys.stderr
        )
    print(f"Look through them, then: dvc repro prepare@{name}, or make repro for all of it")
