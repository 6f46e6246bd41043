"""``genline rollback EXPERIMENT --reason …``: the champion before, champion again."""

from __future__ import annotations

from genline.tracking import actions


def run(experiment: str, reason: str | None) -> None:
    print(actions.rollback(experiment, actions.check_reason(reason)))
