"""Figures and other people's text as they stand in the Markdown of a pull request."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

# Also those that GitHub and GitLab read as a person, an issue or a request.
_MARKS = re.compile(r"[\\`*_\[\]<>|~@#&!$]")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;", "#": "&#35;", "!": "&#33;"}


def plain(text: object) -> str:
    """``text`` as itself on one line: no markup, table cell or mention."""
    return _MARKS.sub(lambda m: _ENTITIES.get(m[0], f"\\{m[0]}"), " ".join(str(text).split()))


def number(value: float) -> str:
    """Four significant digits, thousands set apart."""
    if not math.isfinite(value):
        return "not finite"
    if float(value).is_integer() or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column text and the others figures."""
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def fenced(lines: Sequence[str]) -> str:
    """Lines shown as they are, however many back-ticks they hold."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}text", *lines, fence])
