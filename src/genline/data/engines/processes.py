"""Work shared between processes of this machine."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Self

from genline.core.errors import DataError
from genline.data.engines.ordered import Result, Task, few, in_order

_AHEAD = 2  # tasks a process that are under way or done, so that none waits
_MOST = 16  # processes unless more are asked for: each holds some 150 MB


class Processes:
    """The engine of one machine; its processes are started when there is enough to do."""

    def __init__(self, count: int = 0) -> None:
        """``count``: 0 for as many as there are cores, up to 16."""
        self.count = count or min(len(os.sched_getaffinity(0)), _MOST)
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        enough, tasks = few(tasks)
        if enough or self.count == 1:
            return map(function, tasks)
        return self._shared(function, tasks)

    def _shared(
        self, function: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        # spawn: forking a process that runs threads is unsafe.
        pool = self._pool = self._pool or ProcessPoolExecutor(
            self.count, mp_context=get_context("spawn"), initializer=_begin
        )
        try:
            yield from in_order(
                lambda task: pool.submit(function, task), tasks, _AHEAD * self.count
            )
        except BrokenProcessPool:
            raise DataError(
                "a process that read data was killed, as the system does when memory runs out; "
                "free some, or set workers.count to fewer"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """An interrupt is the first process's business, and with it this one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One thread a process, as there is a process a core.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
