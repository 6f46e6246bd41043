"""Finding the documentation in a package's sources without importing the package."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import platform
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from genline.core.errors import DataError

STDLIB = "stdlib"
# Folders whose strings are not documentation, or are not the package's own.
_SKIPPED = {
    "__pycache__",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "site-packages",
    "test",
    "tests",
    "testing",
    "turtledemo",
}
_LONG = 2  # line breaks from which a string that is no docstring is taken for documentation
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def package_root(package: str) -> Path:
    """The folder of an installed package. Raises DataError if it is not installed."""
    if package == STDLIB:
        return Path(sysconfig.get_path("stdlib"))
    # A top-level name is found without running any of the package.
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise DataError(
            f"package '{package}' is not installed; install it, or take it out of the source's "
            "packages in params.yaml"
        )
    return Path(places[0])


def package_version(package: str) -> str:
    if package == STDLIB:
        return platform.python_version()
    return importlib.metadata.version(_DISTRIBUTIONS.get(package, package))


def source_files(root: Path) -> list[Path]:
    """The Python files below ``root`` in the order of their names, tests and guests left out."""
    found = (path.relative_to(root) for path in root.rglob("*.py"))
    kept = [p for p in found if not _SKIPPED & set(p.parts[:-1]) and not _is_test(p.name)]
    return [root / p for p in sorted(kept, key=lambda p: p.as_posix())]


def module_name(package: str, root: Path, path: Path) -> str:
    """The dotted name of the module in ``path``, the package's first."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    prefix = [] if package == STDLIB else [package]
    return ".".join(prefix + parts) or package


def documentation(path: Path) -> Iterator[str]:
    """The docstrings in a file, and its other strings of three lines or more, in file order.

    Packages keep much of their documentation in such strings: templates shared by several
    functions, the docstrings of compiled functions, the topics of ``help()``. A file that is not
    Python of this version gives nothing.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the package's own affair
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return
    found: set[tuple[int, int, str]] = set()
    for node in ast.walk(tree):
        constant = _docstring(node) or node
        if not isinstance(constant, ast.Constant) or not isinstance(constant.value, str):
            continue
        if constant is not node or constant.value.count("\n") >= _LONG:
            found.add((constant.lineno, constant.col_offset, constant.value))
    for _, _, text in sorted(found):
        yield text


def _docstring(node: ast.AST) -> ast.expr | None:
    """The expression that stands where the docstring of ``node`` would."""
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr):
            return first.value
    return None


def _is_test(name: str) -> bool:
    return name.startswith("test_") or name == "conftest.py"
