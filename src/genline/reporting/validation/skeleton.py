"""What every page shares: the escaping template environment, the frame and the stylesheet."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genline.reporting.numbers import format_interval, format_number

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
_LONGEST = 300  # characters of a value shown; a validation value may be a whole book


def environment(*folders: Path) -> Environment:
    """Jinja with escaping always on, templates from here and ``folders``.

    A name a template does not find is an error, never an empty string. Every text that a template
    shows is first made :func:`visible`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([TEMPLATES, *folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    made.filters |= {
        "number": format_number,
        "interval": format_interval,
        "short": lambda digest: str(digest)[:12],
        "plain": plain,
    }
    return made


def plain(value: Any) -> str:
    """A JSON value as one line a person can read; numbers shortened, long texts cut."""
    if isinstance(value, str):
        text = visible(value)
        if len(text) > _LONGEST:
            return f"{text[:_LONGEST]}… ({len(value):,} characters)"
        return text
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return format_number(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return plain(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def visible(text: str) -> str:
    """``text`` with its control and formatting characters as escapes.

    Unseen, they would hide what is wrong with an item, or turn the text around it.
    """
    if text.isprintable():
        return text
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c
        for c in text
    )
