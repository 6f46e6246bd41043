"""MLflow made equal to what the files say: a view may be thrown away, the record is the files.

What is missing is added and what was cut off is completed; a second time changes nothing. Nothing
is deleted, and nothing is promoted that ``reports/promotion/`` or a person did not promote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genline.core.errors import GenlineError, TrackingError
from genline.tracking import view
from genline.tracking.books import Books
from genline.tracking.locking import registering
from genline.tracking.records import Files, read_files
from genline.tracking.restore import restore
from genline.tracking.sqlite_books import open_books
from genline.tracking.store import Store, connect, one_line, resolve

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Synced:
    """One experiment's outcome; ``failure`` is None where all that its files say is shown."""

    experiment: str
    added: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str | None = None


def sync(experiments: Iterable[str]) -> Iterator[Synced]:
    """Bring MLflow up to date, one experiment after the other, and say of each what was added.

    A file that is damaged stops its own experiment alone. Raises TrackingError with one line when
    MLflow cannot be used; what was done until then stays, and the next time goes on from there.
    """
    store = resolve()
    client, books = connect(store), open_books(store)
    for experiment in experiments:
        try:
            files = read_files(experiment)
        except GenlineError as error:
            yield Synced(experiment, failure=str(error))
            continue
        try:
            yield _sync(client, books, store, files)
        except GenlineError:
            raise
        except Exception as error:  # MLflow's own, SQLAlchemy's, requests', the operating system's
            raise TrackingError(
                f"MLflow at {store.shown} failed at {experiment} ({one_line(error)}); "
                "run `genline sync` again, it goes on from there"
            ) from error


def _sync(client: MlflowClient, books: Books, store: Store, files: Files) -> Synced:
    notes = list(files.notes)
    added: list[str] = []
    with registering(store, files.experiment):
        if files.model is None:
            notes.append("not trained yet: nothing to show")
        else:
            added += view.bring_up_to_date(books, files)[1]
            restored, left = restore(client, store, files)
            added += restored
            notes += left
        dead = 0
        place = books.known(files.dataset)
        if place is not None:
            dead = view.sweep(books, place, files.experiment)
    if dead:
        added.append(f"{dead} dead run{'' if dead == 1 else 's'} closed")
    return Synced(files.experiment, tuple(added), tuple(notes))
