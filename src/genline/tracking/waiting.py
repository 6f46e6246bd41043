"""Models that the gate found better and that wait to be promoted, until their result is merged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genline.core.errors import DataError, GenlineError, TrackingError
from genline.core.files import digest_bytes, write_text
from genline.tracking.aside import in_words, set_aside
from genline.tracking.locking import registering
from genline.tracking.names import CHAMPION, DIGEST, WAITS
from genline.tracking.reading import Reader, open_reader
from genline.tracking.registry import by_alias, by_digest, move_aliases
from genline.tracking.store import Store, connect, one_line, resolve
from genline.tracking.superseding import supersede

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The records that were last brought into effect here: looking at them again would cost seconds.
_DONE = Path(".genline/promoted")
_SHOWN = 12


def release(experiments: Mapping[str, Any], read: Callable[[str], bytes | None]) -> list[str]:
    """Promote the versions that wait and whose promotion records ``read`` has; a line for each.

    read: the content of one of the project's files, None where there is none. Only a version
    that waits is touched, and only where the champion is still the one that the gate compared it
    with: what a person promoted or took back since stays. Raises TrackingError when MLflow cannot
    be used, each alias then being either before or after, and DataError for a damaged record.
    """
    found = {name: _record(f"reports/promotion/{name}.json", read) for name in experiments}
    records = {name: record for name, record in found.items() if record is not None}
    better = {name: r for name, r in records.items() if r["decision"] == CHAMPION}
    store = resolve()
    mark = digest_bytes(json.dumps([store.uri, better], sort_keys=True).encode())
    if not better or (_DONE.is_file() and _DONE.read_text() == mark):
        return []
    if store.database is not None and not store.database.exists():
        return []  # no books yet, and looking is no reason to open them
    said = []
    reader = open_reader(store)
    for name, record in better.items():
        if not _waits(reader, name, record["digests"]["model"]):
            continue
        client = connect(store)
        try:
            with registering(store, name):
                said += _release(client, name, record)
        except GenlineError:
            raise
        except Exception as error:  # MLflow's own, requests'
            raise _refused(store, error) from error
    # What goes on waiting may be promoted when a person has put the champion of then back.
    if not any(_waits(reader, name, r["digests"]["model"]) for name, r in better.items()):
        write_text(_DONE, mark)
    return said


def _record(path: str, read: Callable[[str], bytes | None]) -> dict[str, Any] | None:
    content = read(path)
    if not content:
        return None
    try:
        record: dict[str, Any] = json.loads(content)
        record["decision"], record["digests"]["model"]
    except (ValueError, LookupError, TypeError):
        raise DataError(
            f"{path}: no record of a promotion (a merge conflict?); restore it from git, or delete "
            "it and run `dvc repro`"
        ) from None
    return record


def _waits(reader: Reader, name: str, digest: str) -> bool:
    found = reader.versions(name)
    return any(v.tags.get(WAITS) and v.tags.get(DIGEST) == digest for v in found)


def _release(client: MlflowClient, name: str, record: Mapping[str, Any]) -> list[str]:
    version = by_digest(client, name, record["digests"]["model"])
    if version is None or not version.tags.get(WAITS):
        return []
    number, champion = str(version.version), by_alias(client, name, CHAMPION)
    current = None if champion is None else champion.tags.get(DIGEST)
    decision = set_aside(name, record["digests"]["model"], version.tags)
    if decision is not None and current != record["digests"]["model"]:
        client.delete_model_version_tag(name, number, WAITS)
        return [
            f"{name}, version {number}, is not promoted: {in_words(decision)}; "
            f"`genline promote {name}/{number}` makes it champion again"
        ]
    if current not in (record.get("against"), record["digests"]["model"]):
        shown = (current or "")[:_SHOWN]
        return [
            f"{name}, version {number}, goes on waiting: the champion is now {shown}, which the "
            f"gate did not compare it with; `genline promote {name}/{number}` takes it all the same"
        ]
    move_aliases(client, name, number, CHAMPION)
    supersede(client, name, number)
    # Last: a kill before it leaves a version that waits and is champion, which is mended here.
    client.delete_model_version_tag(name, number, WAITS)
    return [f"{name}, version {number}, is champion: {record['reason']}"]


def _refused(store: Store, error: Exception) -> TrackingError:
    return TrackingError(f"MLflow at {store.shown} refused ({one_line(error)}); run it again")
