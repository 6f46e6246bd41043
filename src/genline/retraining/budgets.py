"""A budget: values for keys of params.yaml, set in its text without touching anything else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from genline.core.errors import ParamsError, nearest
from genline.core.params import PARAMS_FILE, load_yaml, lookup

FOLDER = Path("presets/budgets")


def read(name: str) -> dict[str, Any]:
    """The keys and values of ``presets/budgets/<name>.yaml``.

    Raises ParamsError, offering the nearest, for a budget that does not exist.
    """
    path = FOLDER / f"{name}.yaml"
    known = [found.stem for found in FOLDER.glob("*.yaml")]
    if name not in known:
        raise ParamsError(f"no budget '{name}' in {FOLDER}; {nearest(name, known)}")
    values = load_yaml(path)
    if not isinstance(values, dict):
        raise ParamsError(f"{path}: found {type(values).__name__}, wanted keys and values")
    return values


def applied(values: Mapping[str, Any], path: Path = PARAMS_FILE) -> str:
    """A YAML file's text with dotted keys set; its comments and layout stay as they are.

    A key of an experiment or dataset that the file does not have is left out, so that one budget
    serves every project. Raises ParamsError for another unknown key.
    """
    params = load_yaml(path)
    text = path.read_text(encoding="utf-8")
    changes: list[tuple[int, int, str]] = []
    for key, value in values.items():
        kind, _, rest = key.partition(".")
        if kind in ("experiments", "datasets") and rest.partition(".")[0] not in params[kind]:
            continue
        if lookup(params, key) != value:
            changes.append((*_place(text, key), json.dumps(value)))
    for start, end, content in sorted(changes, reverse=True):
        text = text[:start] + content + text[end:]
    return text


def _place(text: str, key: str) -> tuple[int, int]:
    """Where the value of a key that exists stands in the text."""
    node: Any = yaml.compose(text, yaml.SafeLoader)
    for part in key.split("."):
        node = next(value for name, value in node.value if name.value == part)
    return node.start_mark.index, node.end_mark.index
