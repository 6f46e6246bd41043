"""Every key of the project's own params.yaml, misspelt: one line with the right one in it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from genline import parameters
from genline.core.errors import ParamsError

PARAMS = yaml.safe_load(Path(__file__).parents[2].joinpath("params.yaml").read_text())


def paths(value: Any, parents: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, inner in value.items():
        path = (*parents, key)
        # Names of datasets and experiments are free.
        if len(path) != 2 or path[0] not in ("datasets", "experiments"):
            yield path
        if isinstance(inner, dict):
            yield from paths(inner, path)


def test_a_misspelt_key_is_one_line_with_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])  # where the suites are
    every = list(paths(PARAMS))
    assert len(every) > 100
    for *parents, key in every:
        params = copy.deepcopy(PARAMS)
        place = params
        for parent in parents:
            place = place[parent]
        place[f"{key}x"] = place.pop(key)
        monkeypatch.setattr(parameters, "load_yaml", lambda _, params=params: params)
        with pytest.raises(ParamsError) as caught:
            parameters.check()
        text = str(caught.value)
        assert f"{key}x'" in text and "more)" not in text, text
        assert re.search(rf"\b{re.escape(key)}'(\?| is missing;)", text), text
