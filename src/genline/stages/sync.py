"""``genline sync``: MLflow made equal to what the files say."""

from __future__ import annotations

from genline.core.errors import TrackingError
from genline.tracking.records import experiments
from genline.tracking.sync import sync


def run() -> None:
    """Prints a line for each experiment. Raises TrackingError when a file could not be read."""
    failed = []
    for done in sync(experiments()):
        found = "; ".join(
            [*(["added " + ", ".join(done.added)] if done.added else []), *done.notes]
        )
        print(f"{done.experiment}: {done.failure or found or 'up to date'}", flush=True)
        if done.failure:
            failed.append(done.experiment)
    if failed:
        raise TrackingError(f"{', '.join(failed)}: not brought up to date, see above")
