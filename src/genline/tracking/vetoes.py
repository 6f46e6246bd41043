"""Why a version is not champion whatever its figures say: what people decided, and leaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genline.core.params import PARAMS_FILE, load_yaml
from genline.tracking.aside import in_words, set_aside
from genline.tracking.gate import Decision
from genline.tracking.names import CHAMPION, SPLIT

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


def learned(
    incumbent: ModelVersion, evaluation: Mapping[str, Any], split: str | None
) -> str | None:
    """Why a champion of other data has learned from present test items, None if it has not."""
    if split is None:
        return None
    before = incumbent.tags.get(SPLIT, split)
    if split == "shuffle":
        return (
            "with split shuffle the champion has learned from some of these test items; set "
            f"datasets.{evaluation['dataset']}.prepare.split to hash, given or time, or promote "
            "by hand"
        )
    if before != split:
        return (
            f"the champion's data was split by {before}, so it has learned from some of these "
            "test items; promote the first version of the new split by hand"
        )
    return None


def respecting(decision: Decision, name: str, model: str, version: ModelVersion | None) -> Decision:
    """A decision that leaves aside what a person has set aside."""
    person = set_aside(name, model, {} if version is None else version.tags)
    if person is None or decision.outcome != CHAMPION:
        return decision
    reason = f"{in_words(person)}; `genline promote` makes it champion again"
    return Decision("challenger", reason, decision.compared)


def split_of(dataset: str) -> str:
    """How a data set's items are split: ``datasets.<dataset>.prepare.split``, or its default.

    Only a shuffle deals test items anew when an item is added.
    """
    section = load_yaml(PARAMS_FILE).get("datasets", {}).get(dataset, {})
    return str(section.get("prepare", {}).get("split", "shuffle"))
