"""``genline promote MODEL --reason …``: a person's word above the gate's."""

from __future__ import annotations

from genline.tracking import actions


def run(model: str, reason: str | None) -> None:
    print(actions.promote(model, actions.check_reason(reason)))
