"""A champion judged again: on the data, by the judge and with the settings of now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genline.core.files import write_text

if TYPE_CHECKING:
    from genline.tracking.champion import Rescore


def rescoring(experiment: str) -> Rescore:
    """How the gate has a model scored as ``experiment`` is; nothing is run until it asks."""

    def rescore(folder: Path, scratch: Path) -> tuple[Mapping[str, Any], Path | None]:
        from genline.stages.evaluate import judge

        print(f"{experiment}: scoring the champion again, with the present data and judge …")
        evaluation = judge(experiment, folder, None, respelled=True)
        if evaluation.findings.items is None:
            return evaluation.to_json(), None
        items = scratch / "items.csv"
        write_text(items, evaluation.findings.items.to_csv())
        return evaluation.to_json(), items

    return rescore
