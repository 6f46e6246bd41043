"""What a logged model holds of this project's code is all that it imports."""

from __future__ import annotations

import ast
from pathlib import Path

import genline
from genline.tracking import packaging, pyfunc_model

ROOT = Path(genline.__file__).parent


def imported(file: Path) -> set[str]:
    """The modules of the project that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.partition(".")[0] == "genline"}


def is_module(root: Path, name: str) -> bool:
    place = root.joinpath(*name.split(".")[1:])
    return place.is_dir() or place.with_suffix(".py").is_file()


def test_the_code_of_a_logged_model_imports_nothing_that_is_left_out():
    with packaging._code() as package:
        files = [p for part in package.rglob("*") for p in (part, *part.rglob("*.py"))]
        files = [p for p in {*files, Path(pyfunc_model.__file__)} if p.suffix == ".py"]
        assert len(files) > 50
        for file in files:
            for name in imported(file):
                if is_module(ROOT, name):
                    assert is_module(package, name), f"{file} imports {name}"


def test_the_code_of_a_logged_model_is_less_than_half_of_it():
    with packaging._code() as package:
        kept = sum(1 for part in packaging.SERVED for _ in (package / part).rglob("*.py"))
    assert kept < sum(1 for _ in ROOT.rglob("*.py")) / 2
