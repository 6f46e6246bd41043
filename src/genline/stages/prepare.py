"""The prepare stage: cleaned, split and packed data of one dataset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from genline.core.errors import DataError
from genline.core.files import read_json
from genline.core.params import PARAMS_FILE, load_yaml, lookup, read_section
from genline.data.engines.config import read_workers
from genline.data.engines.start import start
from genline.data.preparation import images, texts
from genline.data.preparation.config import PrepareImages, PrepareTexts
from genline.data.preparation.folder import META, write_folder
from genline.data.sources import parts, registry

_LISTED = 10
_MUCH_UNKNOWN = 0.01  # share of the tokens
RAW, VALIDATED, PREPARED = Path("data/raw"), Path("data/validated"), Path("data/prepared")


def run(dataset: str) -> None:
    """Write ``data/prepared/<dataset>`` from raw data that has passed validation."""
    params = load_yaml(PARAMS_FILE)
    key = f"datasets.{dataset}"
    seed = lookup(params, "seed")
    raw = RAW / dataset
    source = registry.of_kind(raw, lookup(params, f"{key}.kind"), dataset)
    if source["kind"] == "image":
        section: Any = read_section(PrepareImages, f"{key}.prepare", params)
        make: Any = images.prepare
    else:
        section, make = read_section(PrepareTexts, f"{key}.prepare", params), texts.prepare
    _require_valid(VALIDATED / dataset / "result.json", dataset)
    origin = {name: source[name] for name in ("name", "versions")}
    folder = PREPARED / dataset
    found = parts.parts(raw)
    with start(read_workers(params)) as engine:
        write_folder(
            folder,
            lambda building: {
                **make(found, source, section, seed, building, engine),
                "source": origin,
            },
        )
    keeps = getattr(section, "unknown", "") == "keep"
    _say(dataset, source["kind"], read_json(folder / META), keeps)


def _say(dataset: str, kind: str, meta: dict[str, Any], keeps_unknown: bool) -> None:
    counts = ", ".join(f"{name} {count:,}" for name, count in meta["counts"].items())
    print(f"{dataset}: {sum(meta['counts'].values()):,} {kind}s in {PREPARED / dataset}: {counts}")
    dropped = [
        f"{count:,} {reason.replace('_', ' ')}"
        for reason, count in meta.get("dropped", {}).items()
        if count
    ]
    if dropped:
        print(f"{dataset}: left out: {', '.join(dropped)}")
    for name, classes in meta.get("absent", {}).items():
        more = f" and {len(classes) - _LISTED} more" if len(classes) > _LISTED else ""
        listed = ", ".join(classes[:_LISTED]) + more
        print(f"warning: {dataset}: no image in {name} of class {listed}", file=sys.stderr)
    shares = meta.get("unknown_tokens", {})
    if keeps_unknown and max(shares.values(), default=0.0) > _MUCH_UNKNOWN:
        told = ", ".join(f"{share:.1%} of {name}" for name, share in shares.items())
        print(f"{dataset}: outside the vocabulary, read as <unk>: {told}; raise prepare.vocabulary")


def _require_valid(result: Path, dataset: str) -> None:
    found = read_json(result)
    if not isinstance(found, dict) or found.get("success") is not True:
        raise DataError(
            f"{result}: validation of '{dataset}' failed; mend the data or its expectations, "
            "then validate again"
        )
