"""The download stage: the raw files of one dataset."""

from __future__ import annotations

from pathlib import Path

from genline.core.params import PARAMS_FILE, load_yaml
from genline.data.engines.config import read_workers
from genline.data.engines.start import start
from genline.data.sources import registry
from genline.data.sources.config import read_source

RAW = Path("data/raw")


def run(dataset: str) -> None:
    """Write ``data/raw/<dataset>`` from the source that params.yaml names."""
    folder = RAW / dataset
    params = load_yaml(PARAMS_FILE)
    source = read_source(dataset, params)
    with start(read_workers(params)) as engine:
        registry.fetch(source, folder, engine)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    items = registry.record(folder).get("items")
    what = f"{items:,} {source.kind}s" if items is not None else f"{source.kind}s"
    print(f"{dataset}: {what} from the source '{source.name}' in {folder}: {size:.1f} MB")
