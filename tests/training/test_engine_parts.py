"""Checkpoints, averages, schedules and devices."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from genline.core.errors import ParamsError, TrainingError
from genline.training.engine.averages import ExponentialAverage
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric, resolve_device
from genline.training.engine.schedules import cosine, linear_decay, ramp


def _hold(root: Path, held: object, release: object) -> None:
    with Checkpoints(root, "x", "other digest").locked():
        held.set()  # type: ignore[attr-defined]
        release.wait(30)  # type: ignore[attr-defined]


def test_a_second_trainer_of_the_same_name_is_refused_and_then_let_in(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("fork")
    held, release = processes.Event(), processes.Event()
    other = processes.Process(target=_hold, args=(tmp_path, held, release))
    other.start()
    assert held.wait(30)
    impatient = Checkpoints(tmp_path, "x", "digest", patience=0.1)
    refused = pytest.raises(TrainingError, match="x is already training in another process")
    with refused, impatient.locked():
        pass
    with Checkpoints(tmp_path, "y", "digest", patience=0.1).locked():
        pass  # another name is free
    release.set()
    with Checkpoints(tmp_path, "x", "digest", patience=30).locked():
        pass
    other.join(30)


def test_the_lock_may_be_held_around_a_training_that_takes_it_again(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "x", "digest", patience=0.1)
    with checkpoints.locked(), checkpoints.locked():
        pass
    with Checkpoints(tmp_path, "x", "digest", patience=0.1).locked():
        pass


def test_a_checkpoint_belongs_to_one_digest_and_clearing_removes_all_of_the_name(
    tmp_path: Path,
) -> None:
    first, second = Checkpoints(tmp_path, "x", "a" * 64), Checkpoints(tmp_path, "x", "b" * 64)
    neighbour = Checkpoints(tmp_path, "x-y", "a" * 64)
    for checkpoints in (first, neighbour):
        checkpoints.save({"step": 3, "rows": [{"loss": 0.5}], "best": {"w": torch.ones(2)}})
    assert second.load() is None
    state = first.load()
    assert (
        state is not None and state["step"] == 3 and torch.equal(state["best"]["w"], torch.ones(2))
    )
    second.clear()
    assert first.load() is None and neighbour.load() is not None


def test_a_damaged_checkpoint_counts_as_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Checkpoints(tmp_path, "x", "a" * 64)
    checkpoints.save({"step": 3})
    file = checkpoints.folder / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:100])
    assert checkpoints.load() is None
    assert "unreadable" in capsys.readouterr().out


def test_the_average_is_the_recursion_and_copies_buffers() -> None:
    module = nn.BatchNorm1d(1)
    average = ExponentialAverage(module, 0.9)
    expected = 1.0
    for t in range(30):
        value = float(t)
        with torch.no_grad():
            module.weight.fill_(value)
            module.running_mean.fill_(value)
        average.update(module)
        decay = min(0.9, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * value
    assert average.module.weight.item() == pytest.approx(expected, rel=1e-5)
    assert average.module.running_mean.item() == 29.0
    assert not average.module.training and not average.module.weight.requires_grad


def test_a_restored_average_goes_on_with_its_decay() -> None:
    module = nn.Linear(1, 1)
    first, second = ExponentialAverage(module, 0.99), ExponentialAverage(module, 0.99)
    for _ in range(5):
        first.update(module)
    second.load_state_dict(first.state_dict())
    with torch.no_grad():
        module.weight += 1.0
    first.update(module)
    second.update(module)
    assert torch.equal(first.module.weight, second.module.weight)


def test_the_cosine_falls_from_its_peak_to_zero() -> None:
    rates = [cosine(step, 100, 0.5) for step in range(101)]
    assert rates[0] == 0.5 and rates[50] == pytest.approx(0.25) and rates[100] == pytest.approx(0)
    assert rates == sorted(rates, reverse=True)
    assert cosine(500, 100, 0.5) == pytest.approx(0)


def test_the_linear_decay_falls_in_the_last_share() -> None:
    assert [linear_decay(step, 8, 0.5) for step in (0, 3, 4, 6, 7)] == [1, 1, 1, 0.5, 0.25]
    assert linear_decay(7, 8, 0.0) == 1.0


def test_the_ramp_rises_in_equal_increments() -> None:
    assert [ramp(step, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert ramp(0, 0) == 1.0


def test_threads_and_precision_are_as_asked() -> None:
    before = torch.get_num_threads()
    try:
        fabric = make_fabric(Runtime(device="cpu", threads=1, precision="bf16-mixed"))
        assert torch.get_num_threads() == 1
        assert fabric.device.type == "cpu"
        with fabric.autocast():
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == torch.bfloat16
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(False)


def test_cuda_where_there_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ParamsError, match=r"runtime\.device is 'cuda' but torch finds no CUDA"):
        resolve_device(Runtime(device="cuda", threads=1, precision="32-true"))
    assert resolve_device(Runtime(device="auto", threads=1, precision="32-true")) == "cpu"


def test_fabric_comes_without_what_it_only_asks_the_version_of() -> None:
    """In a process of its own, since tests import torchmetrics; afterwards it can be had."""
    code = """
import importlib.util, sys
from genline.training.engine.devices import Runtime, make_fabric
make_fabric(Runtime(device="cpu", threads=1, precision="32-true"))
assert not {"torchmetrics", "matplotlib", "scipy"} & set(sys.modules), "imported"
assert importlib.util.find_spec("torchmetrics") is not None
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
