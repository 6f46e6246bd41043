"""What was found in params.yaml and what would be right, in the words of YAML."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of")
_LONGEST = 60  # characters of a value that are shown


def found(value: Any) -> str:
    """A value as it stands in a file of YAML, long ones cut; blocks and lists by their kind."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a block of keys"
    if isinstance(value, list | tuple | set):
        return "a list"
    if isinstance(value, datetime.date):
        return f"the date {value}"
    if isinstance(value, float) and not math.isfinite(value):
        return "not a number (.nan)" if math.isnan(value) else "infinite"
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def wanted(annotation: Any, metadata: Iterable[Any] = ()) -> str | None:
    """What a field of this type and these limits takes, the whole range; None if unknown."""
    if get_origin(annotation) is Annotated:
        annotation, *inner = get_args(annotation)
        return wanted(annotation, [limit for field in inner for limit in field.metadata])
    bounds = {
        name: getattr(limit, name)
        for limit in metadata
        for name in _BOUNDS
        if getattr(limit, name, None) is not None
    }
    if annotation is int:
        return _whole(bounds)
    if annotation is float:
        return _number(bounds)
    if annotation is bool:
        return "true or false"
    if annotation is str:
        return "text"
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(map(str, get_args(annotation)))
    if origin in (Union, UnionType):
        return " or ".join(filter(None, map(wanted, get_args(annotation)))) or None
    if origin is list:
        each = wanted(get_args(annotation)[0])
        return f"a list, each {each}" if each else "a list"
    if origin is dict:
        return "a block of names"
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        names = [f.alias or name for name, f in annotation.model_fields.items()]
        return f"a block with the keys {', '.join(names)}"
    return None


def _whole(bounds: dict[str, Any]) -> str:
    low = bounds["gt"] + 1 if "gt" in bounds else bounds.get("ge")
    high = bounds["lt"] - 1 if "lt" in bounds else bounds.get("le")
    multiple = f", a multiple of {bounds['multiple_of']}" if "multiple_of" in bounds else ""
    if low is not None and high is not None:
        return f"a whole number from {low} to {high}{multiple}"
    if low is not None:
        return f"a whole number, {low} or more{multiple}"
    if high is not None:
        return f"a whole number, at most {high}{multiple}"
    return f"a whole number{multiple}"


def _number(bounds: dict[str, Any]) -> str:
    low, high = bounds.get("gt", bounds.get("ge")), bounds.get("lt", bounds.get("le"))
    if low is not None and high is not None and math.isfinite(high):
        left, right = "(" if "gt" in bounds else "[", ")" if "lt" in bounds else "]"
        return f"a number in {left}{low:g}, {high:g}{right}"
    if low is not None:
        return f"a number above {low:g}" if "gt" in bounds else f"a number, {low:g} or more"
    if high is not None and math.isfinite(high):
        return f"a number below {high:g}" if "lt" in bounds else f"a number, at most {high:g}"
    return "a number"
