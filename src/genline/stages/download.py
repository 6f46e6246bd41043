"""The download stage: the raw files of one dataset."""

from __future__ import annotations

from pathlib import Path

from genline.core.params import PARAMS_FILE, load_yaml
from genline.data.sources import registry
from genline.data.sources.config import read_source

RAW = Path("data/raw")


def run(dataset: str) -> None:
    """Write ``data/raw/<dataset>`` from the source that params.yaml names."""
    registry.fetch(read_source(dataset, load_yaml(PARAMS_FILE)), RAW / dataset)
