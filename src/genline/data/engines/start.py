"""The engine that params.yaml asks for."""

from __future__ import annotations

from genline.data.engines.cluster import Cluster
from genline.data.engines.config import Workers
from genline.data.engines.processes import Processes


def start(workers: Workers) -> Processes | Cluster:
    """A context manager, at whose end its processes end. Raises ParamsError without Dask."""
    return Cluster(workers.count) if workers.engine == "dask" else Processes(workers.count)
