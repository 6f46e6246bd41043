"""What a new champion changes for the versions beside it: those that wait, those that raced it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genline.tracking.aside import set_aside
from genline.tracking.names import CHAMPION, DIGEST, PREDECESSOR, WAITS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


def versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """All versions of the registered model ``name``."""
    return list(client.search_model_versions(f"name = '{name}'", max_results=10_000))


def supersede(client: MlflowClient, name: str, champion: str) -> None:
    """What waited to take an earlier champion's place waits no longer, now that it is taken."""
    for other in versions(client, name):
        if WAITS in other.tags and str(other.version) != champion:
            client.delete_model_version_tag(name, str(other.version), WAITS)


def rival(
    client: MlflowClient,
    version: ModelVersion,
    incumbent: ModelVersion | None,
    known: list[ModelVersion],
) -> str | None:
    """The version that another machine, in the meantime, found better than the same champion.

    Or than this one, once it had moved. Of two that raced, the one with the higher number has to
    beat the other, so that both machines come to the same end whichever looks last.
    """
    mine, before = str(version.version), None if incumbent is None else str(incumbent.version)
    numbers = {str(v.version) for v in known} | {mine}
    for other in sorted(versions(client, version.name), key=lambda v: -int(v.version)):
        number, tags = str(other.version), other.tags
        if number in numbers or WAITS in tags or tags.get("genline.decision") != CHAMPION:
            continue
        if set_aside(version.name, tags.get(DIGEST, ""), tags) is not None:
            continue
        over = tags.get(PREDECESSOR)
        if over == mine or (over == before and int(number) < int(mine)):
            return number
    return None
