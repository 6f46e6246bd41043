"""Engines: results in order, errors at their turn, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from genline.core.errors import DataError, ParamsError
from genline.data.engines import cluster
from genline.data.engines.cluster import Cluster
from genline.data.engines.config import Workers, read_workers
from genline.data.engines.ordered import Here, in_order
from genline.data.engines.processes import Processes
from genline.data.engines.start import start


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    with Processes(2, patience=0) as engine:
        yield engine


def own_process(task: int) -> tuple[int, int]:
    time.sleep(0.02 * (task % 3))
    return task, os.getpid()


def refuse_the_fifth(task: int) -> int:
    if task == 5:
        raise DataError("task 5 cannot be done")
    return task


def be_killed(task: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_results_come_in_the_order_of_the_tasks_out_of_two_processes(processes: Processes) -> None:
    found = list(processes.map(own_process, range(20)))
    assert [task for task, _ in found] == list(range(20))
    assert len({process for _, process in found} | {os.getpid()}) == 3


def test_an_error_comes_after_the_results_before_it(processes: Processes) -> None:
    met: list[int] = []
    with pytest.raises(DataError, match=r"^task 5 cannot be done$"):
        met.extend(processes.map(refuse_the_fifth, range(20)))
    assert met == [0, 1, 2, 3, 4]
    # And the engine goes on.
    assert list(processes.map(refuse_the_fifth, range(5))) == [0, 1, 2, 3, 4]


def test_little_work_starts_no_process() -> None:
    with Processes(2, patience=60) as engine:
        found = list(engine.map(own_process, range(20)))
    assert {process for _, process in found} == {os.getpid()}


def test_tasks_are_taken_as_they_are_needed() -> None:
    class Done:
        def __init__(self, task: int) -> None:
            self.task = task

        def result(self) -> int:
            return self.task

        def cancel(self) -> None: ...

    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for task in range(100):
            taken.append(task)
            yield task

    results = in_order(Done, tasks(), ahead=4)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(taken) == 13


def test_a_process_that_is_killed_is_one_clear_line() -> None:
    with (
        Processes(2, patience=0) as engine,
        pytest.raises(DataError, match=r"was killed.*workers\.count"),
    ):
        list(engine.map(be_killed, range(5)))


def test_no_process_outlives_the_first() -> None:
    script = (
        "import test_engines as t; from genline.data.engines.processes import Processes\n"
        "engine = Processes(2, patience=0)\n"
        "for _, process in engine.map(t.own_process, range(10**9)): print(process, flush=True)\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    first = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert first.stdout is not None
    others: set[int] = set()
    while len(others) < 2:
        others.add(int(first.stdout.readline()))
    left = [psutil.Process(process) for process in others]
    first.kill()
    first.wait()
    assert psutil.wait_procs(left, timeout=20)[1] == []


def test_the_block_of_params_is_optional_and_checked() -> None:
    assert read_workers({"seed": 1}) == Workers(engine="processes", count=0)
    with pytest.raises(ParamsError, match=r"workers\.engine is 'dsak'; did you mean 'dask'"):
        read_workers({"workers": {"engine": "dsak"}})


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ParamsError, match=r"pip install genline\[dask\]"):
        start(Workers(engine="dask"))


def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    monkeypatch.setenv(cluster.ADDRESS, "tcp://127.0.0.1:9")
    with pytest.raises(DataError, match=r"DASK_SCHEDULER_ADDRESS is tcp://127.0.0.1:9: no sched"):
        Cluster()


def test_one_process_is_an_engine_too() -> None:
    assert list(Here().map(refuse_the_fifth, range(5))) == [0, 1, 2, 3, 4]
