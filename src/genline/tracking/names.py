"""What versions and runs carry in MLflow, by name: aliases and tags."""

from __future__ import annotations

import json
from typing import Any

CHAMPION, CHALLENGER = "champion", "challenger"
DIGEST = "genline.model_digest"
RECORD = "genline.record"  # what the gate needs of a version, as JSON
PROMOTION = "genline.promotion"  # what the gate said of it, as JSON
ITEMS = "genline.items"  # sha256 of the likelihoods item by item, an artifact of the run
PREDECESSOR = "genline.previous_champion"  # the version that a champion took the place of
PERSON = "genline.person"  # what a person last did with a version, as JSON
SET_ASIDE = "genline.set_aside"  # the same on the version that was champion until then
WAITS = "genline.waits"  # what a version that the gate found better waits for
SPLIT = "genline.split"  # how the data that it learned from was split


def as_tag(value: Any) -> str:
    """A value as the text of a tag: the same text for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
