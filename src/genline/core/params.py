"""Reading params.yaml: strict types, unknown keys refused with the nearest known one.

Each layer describes its own section as a :class:`Section` beside the code that uses it; this
module knows how to read any of them and nothing of what they hold.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from genline.core.errors import ParamsError, nearest

PARAMS_FILE = Path("params.yaml")
Location = tuple[int | str, ...]  # of an error, as pydantic gives it


class Section(BaseModel):
    """A part of params.yaml: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


S = TypeVar("S", bound=Section)


class _Loader(yaml.SafeLoader):
    """YAML as DVC reads it: numbers such as 1e-3 are numbers, and a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise ParamsError(
                    f"{key_node.start_mark.name}, line {line}: key '{key}' stands twice; keep one"
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def load_yaml(path: Path | str) -> Any:
    """The content of a YAML file. Raises ParamsError naming the file and line on bad syntax."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; run in the project's top folder") from None
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    loader = _Loader(text)
    loader.name = str(path)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ParamsError(f"{where}: {problem}") from None
    finally:
        loader.dispose()


def lookup(params: Any, key: str) -> Any:
    """The value at a dotted key. Raises ParamsError with the nearest key if it is not there."""
    value, path = params, ""
    for part in key.split("."):
        path = f"{path}.{part}" if path else part
        if not isinstance(value, dict) or part not in value:
            known = value if isinstance(value, dict) else ()
            raise ParamsError(f"{PARAMS_FILE}: no key '{path}'; {nearest(part, known)}")
        value = value[part]
    return value


def read_section(section: type[S], key: str, params: Any = None) -> S:
    """Read the section at dotted ``key`` ('' for the whole file) and check it.

    Raises ParamsError with one line for the first error: the key, the value found, and what
    would be right.
    """
    if params is None:
        params = load_yaml(PARAMS_FILE)
    return parse_section(section, lookup(params, key) if key else params, key)


def parse_section(section: type[S], value: Any, key: str) -> S:
    """Check ``value``, found at dotted ``key``, against ``section``."""
    try:
        return section.model_validate(value)
    except ValidationError as error:
        errors, meant = _misspelt(error.errors())
        raise ParamsError(_one_line(section, errors[0], key, len(errors), meant)) from None


def _misspelt(errors: list[ErrorDetails]) -> tuple[list[ErrorDetails], dict[Location, str]]:
    """``errors``, unknown keys first, and the key each of these stands for, where that is clear.

    A misspelt key is also missing under its right name: one slip, so counted once.
    """
    unknown = [e for e in errors if e["type"] == "extra_forbidden"]
    missing = [e["loc"] for e in errors if e["type"] == "missing"]
    meant: dict[Location, str] = {}
    for error in unknown:
        *parent, found = error["loc"]
        names = [str(loc[-1]) for loc in missing if list(loc[:-1]) == parent]
        near = difflib.get_close_matches(str(found), names, n=1)
        if near:
            meant[error["loc"]] = near[0]
            missing.remove((*parent, near[0]))
    rest = [e for e in errors if e["type"] != "extra_forbidden"]
    return unknown + [e for e in rest if e["type"] != "missing" or e["loc"] in missing], meant


def _one_line(
    section: type[Section],
    error: ErrorDetails,
    key: str,
    count: int,
    meant: Mapping[Location, str],
) -> str:
    path, parents = _walk(section, error["loc"])
    name = ".".join([key, *path] if key else path) or "the whole file"
    more = f" (and {count - 1} more)" if count > 1 else ""
    fields = {_name(n, f): f for parent in parents for n, f in parent.model_fields.items()}
    if error["type"] == "extra_forbidden":
        right = meant.get(error["loc"])
        hint = f"did you mean '{right}'?" if right else nearest(path[-1], fields)
        return f"{PARAMS_FILE}: unknown key '{name}'; {hint}{more}"
    if error["type"] == "missing":
        description = fields[path[-1]].description if path[-1] in fields else None
        return f"{PARAMS_FILE}: key '{name}' is missing; wanted: {description or path[-1]}{more}"
    if error["type"] == "literal_error":
        known = [k.strip(" '") for k in re.split(", | or ", str(error["ctx"]["expected"]))]
        return (
            f"{PARAMS_FILE}: {name} is {error['input']!r}; {nearest(error['input'], known)}{more}"
        )
    if error["type"].startswith("union_tag"):
        return f"{PARAMS_FILE}: {_tag(error, name)}{more}"
    message = error["msg"]
    if message.startswith("Value error, "):
        message = message.removeprefix("Value error, ")
        return f"{PARAMS_FILE}: {name}: {message}{more}"
    whole = _as_whole(error)
    if whole is not None:
        return f"{PARAMS_FILE}: {name} is {whole}{more}"
    found = repr(error["input"])
    found = found if len(found) <= 80 else found[:77] + "..."
    message = message[0].lower() + message[1:]
    return f"{PARAMS_FILE}: {name} is {found}; {message}{more}"


def _tag(error: ErrorDetails, name: str) -> str:
    """What is wrong with the key that says which section of a union is meant."""
    key, given = str(error["ctx"]["discriminator"]).strip("'"), error["input"]
    if error["type"] == "union_tag_invalid":
        known = re.findall(r"'([^']+)'", str(error["ctx"]["expected_tags"]))
        tag = str(error["ctx"]["tag"])
        return f"{name}.{key} is '{tag}'; {nearest(tag, known)}"
    near = difflib.get_close_matches(key, map(str, given), n=1) if isinstance(given, dict) else []
    if near:
        return f"unknown key '{name}.{near[0]}'; did you mean '{key}'?"
    return f"key '{name}.{key}' is missing"


def _as_whole(error: ErrorDetails) -> str | None:
    """What to write where a whole number was meant, or None where none was given."""
    value = error["input"]
    if error["type"] != "int_type" or isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return (
            f"{value!r}, which YAML reads as a decimal number, as it does with a point or an "
            f"exponent; a whole number is wanted: write {int(value)}"
        )
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,18}", value.replace("_", "")):
        return f"{value!r}, which YAML reads as text; write {int(value)}, without quotes"
    return None


def _name(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _walk(section: type[Section], location: Location) -> tuple[list[str], list[type[Section]]]:
    """The keys of an error's location, and the sections its last key stands in."""
    here: list[type[Section]] = [section]
    parents, path, tag = here, list[str](), None
    for part in location:
        if tag is not None:  # the location names which of a union's sections it is in
            here = [s for s in here if part in get_args(s.model_fields[tag].annotation)]
            tag = None
            continue
        path.append(str(part))
        if isinstance(part, int):  # a place in a list of sections
            continue
        parents = here
        fields = [f for s in here for n, f in s.model_fields.items() if _name(n, f) == part]
        here = [s for f in fields for s in _sections_in(f.annotation)]
        tag = next((str(f.discriminator) for f in fields if f.discriminator), None)
    return path, parents


def _sections_in(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [s for argument in get_args(annotation) for s in _sections_in(argument)]
