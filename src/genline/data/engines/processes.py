"""Work shared between processes of this machine."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Self

from genline.core.errors import DataError
from genline.data.engines.ordered import Result, Task, in_order

_AHEAD = 2  # tasks a process that are under way or done, so that none waits
_MOST = 16  # processes unless more are asked for: each holds some 150 MB


class Processes:
    """The engine of one machine."""

    def __init__(self, count: int = 0, patience: float = 1.0) -> None:
        """``count``: 0 for as many as there are cores, up to 16. Work that this process does in
        ``patience`` seconds starts no others, since that takes as long."""
        self.count = count or min(len(os.sched_getaffinity(0)), _MOST)
        self.patience = patience
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        waiting = iter(tasks)
        began = time.monotonic()
        if self._pool is None:
            for task in waiting:
                if self.count > 1 and time.monotonic() - began >= self.patience:
                    # spawn: forking a process that runs threads is unsafe.
                    self._pool = ProcessPoolExecutor(
                        self.count, mp_context=get_context("spawn"), initializer=_begin
                    )
                    waiting = chain([task], waiting)
                    break
                yield function(task)
            else:
                return
        pool = self._pool
        try:
            yield from in_order(
                lambda task: pool.submit(function, task), waiting, _AHEAD * self.count
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
