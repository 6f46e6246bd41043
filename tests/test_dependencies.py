"""dvc.yaml's dependencies against the imports the stages really follow."""

from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

ROOT = Path(__file__).parents[1]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
GRAPH = grimp.build_graph("genline")

# These decide no output: MLflow is a view, the two below are how a stage is started, and the
# packages' own __init__ hold a docstring or names.
NEUTRAL = ("genline.tracking", "genline.cli", "genline.parameters")

# What a stage imports by a name it reads in params.yaml.
DYNAMIC = {
    "train": ["genline.models.{family}", "genline.training.recipes.{family}"],
    "evaluate": ["genline.models.{family}"],
    "register": ["genline.models.{family}"],  # a champion that is scored again
}


def followed(stage: str, item: dict[str, Any]) -> set[str]:
    """The modules that running ``stage`` imports, by static imports and by family."""
    roots = {f"genline.stages.{stage}"}
    for name in DYNAMIC.get(stage, []):
        root = name.format(**item)
        roots |= {root} | set(GRAPH.find_descendants(root))
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module in seen or (module.startswith(NEUTRAL) and stage != "register"):
            continue
        seen.add(module)
        waiting += GRAPH.find_modules_directly_imported_by(module)
    return seen


def source(module: str) -> str:
    path = Path("src", *module.split("."))
    return str(path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py"))


def instances() -> list[tuple[str, str, dict[str, Any]]]:
    found: list[tuple[str, str, dict[str, Any]]] = []
    for stage, body in STAGES.items():
        if "foreach" not in body:
            found.append((stage, "", {}))
            continue
        mapping = PARAMS[body["foreach"].strip("${}")]
        found += [(stage, key, item) for key, item in mapping.items()]
    return found


def listed(stage: str, key: str, item: dict[str, Any]) -> list[str]:
    body = STAGES[stage].get("do", STAGES[stage])
    deps = []
    for dep in body["deps"]:
        for name, value in item.items():
            dep = dep.replace("${item." + name + "}", str(value))
        deps.append(dep.replace("${key}", key))
    return [d for d in deps if d.startswith("src/")]


def within(path: str, deps: list[str]) -> bool:
    return any(path == dep or path.startswith(dep + "/") for dep in deps)


@pytest.mark.parametrize(
    ("stage", "key", "item"), instances(), ids=[f"{s}-{k}" for s, k, _ in instances()]
)
def test_a_stage_lists_every_module_it_imports(stage: str, key: str, item: dict[str, Any]) -> None:
    deps = listed(stage, key, item)
    modules = {m for m in followed(stage, item) if not source(m).endswith("__init__.py")}
    missing = sorted(source(m) for m in modules if not within(source(m), deps))
    assert not missing


@pytest.mark.parametrize(
    ("stage", "key", "item"), instances(), ids=[f"{s}-{k}" for s, k, _ in instances()]
)
def test_a_stage_lists_no_module_it_does_not_import(
    stage: str, key: str, item: dict[str, Any]
) -> None:
    files = [source(m) for m in followed(stage, item)]
    idle = [dep for dep in listed(stage, key, item) if not any(within(f, [dep]) for f in files)]
    assert not idle


def test_no_vae_depends_on_a_gan_module() -> None:
    for stage, key, item in instances():
        if item.get("family", "").endswith("_vae"):
            assert not [d for d in listed(stage, key, item) if "_gan" in d]
            assert not [m for m in followed(stage, item) if "_gan" in m]
