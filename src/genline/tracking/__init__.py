"""MLflow, and nothing else imports it: runs, the registry, the gate and the served model."""
