"""What every engine is: a map whose results come in the order of its tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(Protocol):
    """Somewhere to do work. The result depends on the tasks alone, never on how many work."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """``function`` of each task, in order. An exception is raised at its task's turn.

        ``function`` is one of a module, and tasks and results can be pickled. Tasks are taken as
        they are needed, so that memory holds a few of them.
        """
        ...


class Here:
    """The engine of one process: this one."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return map(function, tasks)


class Future(Protocol):
    """What all that hands out work returns."""

    def result(self) -> Any: ...

    def cancel(self) -> Any: ...


def in_order(submit: Callable[[Any], Future], tasks: Iterable[Any], ahead: int) -> Iterator[Any]:
    """The results of submitted tasks in their order, at most ``ahead`` of them under way."""
    waiting: deque[Future] = deque()
    try:
        for task in tasks:
            waiting.append(submit(task))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
