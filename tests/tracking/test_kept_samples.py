"""The champion's samples, for the text of a pull request."""

from __future__ import annotations

import pytest

from genline.core.errors import TrackingError
from genline.tracking import kept_samples
from genline.tracking.store import connect, resolve

NAME = "tiny-vae"


def test_samples_are_found_by_the_weights_that_made_them(register_stage):
    register_stage()
    client = connect(resolve())
    version = client.get_model_version_by_alias(NAME, "champion")
    client.log_text(version.run_id, "one\ntwo\n", "samples/samples.txt")
    client.log_text(version.run_id, "three\n", "samples/samples_control.txt")
    found = kept_samples.fetch(NAME, version.tags["genline.model_digest"])
    assert found == {"samples.txt": b"one\ntwo\n"}
    assert kept_samples.fetch(NAME, "0" * 64) == {}
    assert kept_samples.fetch("another", "0" * 64) == {}


def test_without_books_it_is_said(project):
    (project / "mlflow.db").unlink()
    with pytest.raises(TrackingError, match="no MLflow database"):
        kept_samples.fetch(NAME, "0" * 64)
