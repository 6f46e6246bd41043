"""What a stage depends on, read where DVC reads it: in dvc.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from genline.core.errors import ParamsError, nearest
from genline.core.files import digest_tree
from genline.core.params import load_yaml

PIPELINE_FILE = Path("dvc.yaml")
_CODE = "src/"
_NAME = re.compile(r"\$\{([^}]*)\}")


def dependencies(stage: str, key: str, item: Any) -> list[str]:
    """The ``deps`` of a ``foreach`` stage of dvc.yaml for one entry of its mapping.

    ``${key}`` becomes ``key`` and ``${item.x.y}`` the value at x.y in ``item``. Raises ParamsError
    for a dvc.yaml that is missing, without this stage, or naming what ``item`` does not hold.
    """
    stages = (load_yaml(PIPELINE_FILE) or {}).get("stages", {})
    if stage not in stages:
        raise ParamsError(f"{PIPELINE_FILE}: no stage '{stage}'; {nearest(stage, stages)}")
    values = {"key": key, "item": item}
    return [
        _NAME.sub(lambda name: _value(values, name[1], stage), dep)
        for dep in stages[stage]["do"]["deps"]
    ]


def code_digest(stage: str, key: str, item: Any) -> str:
    """sha256 of the code among the dependencies of a stage, files and folders below ``src/``.

    A checkpoint made by other code is another training's. Raises ParamsError, as
    :func:`dependencies` does, also for code that is not there.
    """
    code = [Path(dep) for dep in dependencies(stage, key, item) if dep.startswith(_CODE)]
    for path in code:
        if not path.exists():
            raise ParamsError(
                f"{PIPELINE_FILE}: stage '{stage}' depends on {path}, which is not there; "
                "run in the project's top folder"
            )
    return digest_tree(code)


def _value(values: dict[str, Any], name: str, stage: str) -> str:
    value: Any = values
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ParamsError(f"{PIPELINE_FILE}: stage '{stage}': ${{{name}}} has no value")
        value = value[part]
    return str(value)
