"""Versions that a person set aside: they stay so until a person promotes them again.

What people decided stands in ``reports/decisions.jsonl``, which is committed, and in the tags of
the versions concerned, which another clone sees before it has the commit. Either is enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from genline.tracking import decisions
from genline.tracking.names import DIGEST, PERSON, SET_ASIDE


def set_aside(name: str, model: str, tags: Mapping[str, str]) -> dict[str, Any] | None:
    """The decision by which the weights ``model`` of experiment ``name`` ceased to be champion.

    tags: those of the version that holds them, empty where there is none. None where no person
    set them aside, or where one has promoted them since. Raises DataError for a damaged record.
    """
    last = last_word(name, model, tags)
    return last if last is not None and last["model"] != model else None


def last_word(name: str, model: str, tags: Mapping[str, str]) -> dict[str, Any] | None:
    """What a person last decided for or against the weights ``model``; None if nobody did."""
    lines = [d for d in decisions.read_decisions() if d["experiment"] == name]
    if tags.get(DIGEST, model) == model:
        lines += [json.loads(tags[key]) for key in (PERSON, SET_ASIDE) if key in tags]
    mine = [d for d in lines if model in (d["model"], d["previous"])]
    return max(mine, key=lambda d: str(d["when"]), default=None)


def in_words(decision: Mapping[str, Any]) -> str:
    """Who set a version aside, when and why, in a clause."""
    return f"set aside on {decision['when'][:10]} by {decision['who']}: {decision['reason']}"
