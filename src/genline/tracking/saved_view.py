"""A saved view of an MLflow experiment: its runs as a table of their leading metrics.

Without one MLflow's table shows names and times, and each reader picks columns by hand. A saved
view is a tag of the experiment: MLflow's page reads ``mlflow.sharedViewState.KEY``, lists it under
"Views", and opens it where an address ends in ``viewStateShareKey=KEY``.
"""

from __future__ import annotations

import base64
import json
import zlib

KEY = "genline"
TAG = f"mlflow.sharedViewState.{KEY}"
_LETTER = 9  # pixels of a character of a column's heading, MLflow's own being cut off
COLUMNS = {
    "image": (
        *("fid", "fid_prior", "kid", "class_kl", "memorisation", "nll", "kl", "train/seconds"),
    ),
    "text": (
        *("frechet_embedding_distance", "perplexity", "reverse_perplexity", "forward_perplexity"),
        *("kl", "decoder_use", "train/seconds"),
    ),
}


def view(kind: str) -> str:
    """The view of the data sets of a ``kind``, as the tag's value."""
    columns = [f"metrics.`{name}`" for name in COLUMNS[kind]]
    state = json.dumps(
        {
            "orderByKey": "attributes.start_time",
            "orderByAsc": False,
            "selectedColumns": columns,
            "columnOrder": columns,
            "columnWidths": {column: _LETTER * len(column) for column in columns},
            "runsHiddenMode": "FIRST_10_RUNS",
            "hideEmptyCharts": True,
            "useGroupedValuesInCharts": True,
        },
        separators=(",", ":"),
    )
    packed = base64.b64encode(zlib.compress(state.encode(), 9)).decode()
    saved = {"name": "Metrics", "createdAt": 0, "updatedAt": 0, "state": f"deflate;{packed}"}
    return json.dumps(saved, separators=(",", ":"))
