"""Adding to params.yaml as a person would: its comments and its order stay as they are."""

from __future__ import annotations

import re

import yaml

from genline.core.errors import ParamsError
from genline.core.params import Section

_KEY = re.compile(r"^( *)([^\s#][^:]*):")


def block(text: str, *path: str) -> str:
    """The lines of the mapping at ``path``, its own key first; '' where it is not there."""
    lines = text.splitlines(keepends=True)
    start, end = 0, len(lines)
    for depth, name in enumerate(path):
        found = [
            i for i in range(start, end) if _is_key(lines[i], depth) and _name(lines[i]) == name
        ]
        if not found:
            return ""
        start = found[0]
        end = _end(lines, start, end)
        inner = start + 1
        if depth < len(path) - 1:
            start = inner
    return "".join(lines[start:end])


def insert(text: str, section: str, added: str) -> str:
    """``text`` with ``added`` at the end of the top-level mapping ``section``."""
    lines = text.splitlines(keepends=True)
    starts = [i for i, line in enumerate(lines) if _is_key(line, 0) and _name(line) == section]
    if not starts:
        raise ParamsError(f"params.yaml: no key '{section}' to add to; write '{section}:' in it")
    end = _end(lines, starts[0], len(lines))
    before, after = "".join(lines[:end]), "".join(lines[end:])
    if before and not before.endswith("\n"):
        before += "\n"
    return f"{before}\n{added}{after}" if section == "datasets" else f"{before}{added}{after}"


def written(section: Section, spaces: int) -> str:
    """A section's YAML lines, each value with the description of its field as comment.

    Optional values that are not set are left out.
    """
    fields = type(section).model_fields
    dumped = section.model_dump(exclude_none=True)
    first = {name: dumped[name] for name in ("name", "path") if name in dumped}
    values = {
        name: yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
        .removesuffix("\n")
        .removesuffix("\n...")
        for name, value in (first | dumped).items()
    }
    widest = max(len(f"{name}: {value}") for name, value in values.items())
    lines = []
    for name, value in values.items():
        about = fields[name].description
        pair = f"{name}: {value}"
        lines.append(f"{pair:<{min(widest, 40)}}  # {about}" if about else pair)
    return "".join(f"{' ' * spaces}{line}\n" for line in lines)


def limited(text: str, key: str, most: int) -> str:
    """``text`` with each whole number at ``key`` no larger than ``most``."""

    def lower(match: re.Match[str]) -> str:
        return f"{match[1]}{min(int(match[2]), most)}"

    return re.sub(rf"(?m)^( +{re.escape(key)}: +)(\d+)", lower, text)


def _end(lines: list[str], start: int, end: int) -> int:
    """Where the mapping whose key stands on line ``start`` ends, blank lines after it aside."""
    indent = len(lines[start]) - len(lines[start].lstrip())
    last = start
    for i in range(start + 1, end):
        line = lines[i]
        if not line.strip():
            continue
        if len(line) - len(line.lstrip()) <= indent:
            break
        last = i
    return last + 1


def _is_key(line: str, depth: int) -> bool:
    match = _KEY.match(line)
    return match is not None and len(match[1]) == 2 * depth


def _name(line: str) -> str:
    match = _KEY.match(line)
    return match[2].strip("'\" ") if match else ""
