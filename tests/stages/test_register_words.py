from __future__ import annotations

import pytest

from genline.core.files import digest_file, write_json, write_text
from genline.stages import register


@pytest.mark.parametrize(
    ("decision", "reason", "words"),
    [
        ("champion", "the first healthy version", "vae is champion: the first healthy version"),
        ("challenger", "worse", "vae is registered as challenger: worse"),
    ],
)
def test_what_was_decided_is_said_without_contradiction(
    tmp_path, monkeypatch, capsys, decision, reason, words
):
    monkeypatch.chdir(tmp_path)
    write_text("params.yaml", "experiments: {vae: {register: {metric: fid, margin: 0.0}}}\n")
    write_text("models/vae/model.safetensors", "weights")
    digest = digest_file("models/vae/model.safetensors")
    record = {"dataset": "digits", "digests": {"model": digest}}
    write_json("reports/evaluation/vae.json", record)
    promotion = {"decision": decision, "reason": reason}
    monkeypatch.setattr(register, "promote", lambda *_: promotion)
    register.run("vae")
    assert capsys.readouterr().out.strip() == words


def test_the_first_healthy_version_is_called_that():
    from genline.tracking.config import Register
    from genline.tracking.gate import Record, decide

    metric = {"value": 1.0, "low": 0.9, "high": 1.1, "better": "lower"}
    digests = {name: name for name in ("model", "data", "evaluator", "protocol")}
    decision = decide(
        Record(digests, {"fid": metric}, {}), None, Register(metric="fid", margin=0.0)
    )
    assert (decision.outcome, decision.reason) == ("champion", "the first healthy version")
