"""``genline retrain``: what changed is made anew, compared, and offered as a pull request."""

from __future__ import annotations

from genline.retraining.loop import Loop, Options


def run(only: str | None, experiments: str | None, budget: str | None, dry_run: bool) -> None:
    """All steps in their order, or ``only`` one.

    experiments: names with commas between, None for all that is out of date.
    """
    names = tuple(name.strip() for name in (experiments or "").split(",") if name.strip())
    Loop(Options(names, budget or None, dry_run)).run(only)
