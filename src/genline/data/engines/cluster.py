"""Work shared between the processes of a Dask cluster, on one machine or on many.

Dask, and not Ray: it is Python alone and small, so that an optional extra costs little; it runs
on what clusters have already (Kubernetes, Slurm, YARN, SSH); and it reports to nobody unless asked
to, where Ray sends usage figures by default.

The scheduler is the one that ``DASK_SCHEDULER_ADDRESS`` names, which is Dask's own variable;
without it, a cluster of processes is started on this machine. Tasks name files from the project's
top folder, so the workers stand in that folder, on a file system that all of them share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from genline import __version__
from genline.core.errors import DataError, ParamsError
from genline.core.files import digest_file
from genline.core.params import PARAMS_FILE
from genline.data.engines.ordered import Result, Task, in_order

_AHEAD = 2
ADDRESS = "DASK_SCHEDULER_ADDRESS"
PATIENCE = 10.0  # seconds for a scheduler to answer


class Cluster:
    """The engine of a Dask cluster. ``count``: processes of one on this machine, 0: its cores."""

    def __init__(self, count: int = 0) -> None:
        try:
            # Not typed, and an extra: for a type checker it may not be there.
            self._dask: Any = import_module("distributed")
        except ImportError:
            raise ParamsError(
                "params.yaml: workers.engine is dask, which is not installed; install it with "
                "`pip install genline[dask]`, or set workers.engine to processes"
            ) from None
        self._local: Any = None
        address = os.environ.get(ADDRESS, "")
        if not address:
            self._local = self._dask.LocalCluster(
                n_workers=count or len(os.sched_getaffinity(0)),
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                worker_dashboard_address=None,
                silence_logs=40,
                env={"TOKENIZERS_PARALLELISM": "false"},
            )
        try:
            self._client: Any = self._dask.Client(self._local or address, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            self._close_local()
            reason = " ".join(str(error).split())[:80]
            raise DataError(f"{ADDRESS} is {address}: no scheduler answers ({reason})") from None
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
            self._require_alike()
        except BaseException as error:
            self.__exit__(None, None, None)
            if isinstance(error, TimeoutError):
                raise DataError(f"{ADDRESS} is {address}: the scheduler has no workers") from None
            raise

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        # pure=False: a task reads files, which may have changed since it was last seen.
        submit = partial(self._client.submit, function, pure=False)
        ahead = _AHEAD * max(1, sum(self._client.nthreads().values()))
        try:
            yield from in_order(submit, tasks, ahead)
        except self._dask.KilledWorker:
            raise DataError(
                "a task killed several of the cluster's workers one after the other, as happens "
                "when memory runs out; give them more"
            ) from None

    def _require_alike(self) -> None:
        """Raises DataError for a worker in another folder, or with another genline or none."""
        here = _standing()
        for worker, there in self._client.run(_standing, on_error="return").items():
            if there != here:
                raise DataError(
                    f"the Dask worker {worker} sees another params.yaml, or has no genline "
                    f"{__version__}; start it in the project's folder, in its environment"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()
        self._close_local()

    def _close_local(self) -> None:
        if self._local is not None:
            self._local.close()


def _standing() -> tuple[str, str]:
    return (digest_file(PARAMS_FILE) if PARAMS_FILE.exists() else "", __version__)
