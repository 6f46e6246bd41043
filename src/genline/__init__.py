"""genline: your images or texts to trained, judged and registered generative models.

Importing this package sets the process-wide switches that must be in place before torch,
MLflow or Great Expectations are imported; a value the user has set is left alone.
"""

import os

__version__ = "0.1.0"

# Read before anything slow: a stage's libraries take seconds to import, and DVC may be killed
# meanwhile. Whoever is the parent afterwards did not start this process.
STARTED_BY = os.getppid()

_ENVIRONMENT = {
    # libgomp's default busy-wait makes two threads beside another busy process 50 times slower.
    "GOMP_SPINCOUNT": "1000",
    # Nothing phones home, and nothing waits for a network.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    # An unreachable MLflow server would otherwise be retried for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # cuBLAS is deterministic only with a fixed workspace.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
