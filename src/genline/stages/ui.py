"""``genline ui``: MLflow's pages on 127.0.0.1, with links to each dataset's charts."""

from __future__ import annotations

from genline.tracking.ui import serve


def run(port: int) -> None:
    """Serve until interrupted; with a server named by MLFLOW_TRACKING_URI, only print its links.

    Raises TrackingError with one line when the port is taken, the server does not start, or this
    is no project's folder.
    """
    serve(port)
