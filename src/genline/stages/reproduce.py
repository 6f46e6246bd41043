"""``genline reproduce MODEL``: train a model again from its own origin, and compare the digests."""

from __future__ import annotations

from genline.core.errors import ModelError
from genline.tracking.reproduction import reproduce


def run(model: str, keep: bool) -> None:
    """Raises ModelError with what differs when the digest is another."""
    found = reproduce(model, keep)
    if not found.same:
        known = "; ".join(found.differences) or (
            "nothing on record does; another processor gives other roundings"
        )
        raise ModelError(
            f"{found.experiment}: trained again to {found.got[:12]}, not {found.wanted[:12]}. "
            f"What differs: {known}. Kept in {found.place}"
        )
    where = f"; kept in {found.place}" if keep else ""
    print(f"{found.experiment}: reproduced, the same digest {found.got}{where}")
