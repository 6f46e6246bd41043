"""Which model the files say is champion, and whether the registry may be made to agree. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genline.tracking.names import CHAMPION

_SHOWN = 12


@dataclass(frozen=True)
class Wanted:
    """``champion`` is the digest to move the alias to, None to leave it; ``note`` says why not."""

    champion: str | None
    note: str = ""


def wanted_champion(
    promotion: Mapping[str, Any],
    told: Mapping[str, Any] | None,
    current: str | None,
    registered: set[str],
    person: Mapping[str, Any] | None = None,
) -> Wanted:
    """What is to be done with the alias ``champion`` of one experiment.

    promotion: ``reports/promotion/<experiment>.json``. told: the last line about it in the record
    of what people decided. current: the digest behind the alias. registered: the digests that the
    registry holds. person: what a person is on record in the registry to have done last with the
    current champion or with the files' model, known there before the record came here.

    The alias is moved only where the files' own decision was about the champion that stands: a
    registry that has gone on, elsewhere or by hand, is left as it is, and that is said.
    """
    model = promotion["digests"]["model"]
    against = promotion.get("against")
    lines = [d for d in (told, person) if d is not None and d.get("seen") == model]
    last = max(lines, key=lambda d: d["when"], default=None)
    if last is not None:
        champion, before = last["model"], {last["previous"], model, against}
    elif promotion["decision"] == CHAMPION:
        champion, before = model, {against}
    else:
        # The champion that it did not replace, where there is none at all.
        champion, before = (against if current is None else current), {current}
    if champion is None or champion == current:
        return Wanted(None)
    if current is not None and current not in before:
        return Wanted(
            None,
            f"the registry's champion {current[:_SHOWN]} is left: the files' decision, for "
            f"{champion[:_SHOWN]}, was not about it",
        )
    if champion not in registered:
        return Wanted(
            None,
            f"champion {champion[:_SHOWN]} is neither here nor in the registry: sync where its "
            "files are, or `dvc checkout` the commit that has them",
        )
    return Wanted(champion)
