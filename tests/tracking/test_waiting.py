"""A better model that waits: challenger until its result is merged, then champion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genline.core.errors import DataError
from genline.tracking import actions
from genline.tracking.names import WAITS
from genline.tracking.store import connect, resolve
from genline.tracking.waiting import release

BETTER, WORSE = (1.0, 0.9, 1.1), (3.0, 2.9, 3.1)
EXPERIMENTS: dict[str, Any] = {"tiny-vae": {}}
Register = Callable[..., dict[str, Any]]


@pytest.fixture
def hold(register_stage: Register, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Registers as the loop does."""

    def register(*arguments: Any, **named: Any) -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setenv("GENLINE_HOLD_PROMOTION", "1")
            return register_stage(*arguments, **named)

    return register


def read(path: str) -> bytes | None:
    return Path(path).read_bytes() if Path(path).is_file() else None


def aliases() -> dict[str, str]:
    found = connect(resolve()).get_registered_model("tiny-vae").aliases
    return {alias: str(number) for alias, number in found.items()}


def test_a_better_version_waits_and_its_record_is_the_same(
    register_stage: Register, hold: Register
) -> None:
    register_stage()
    held = hold(seed=1, fid=BETTER)
    assert aliases() == {"champion": "1", "challenger": "2"}
    assert held["decision"] == "champion"
    (line,) = release(EXPERIMENTS, read)
    assert "version 2, is champion: better beyond the noise" in line
    assert aliases() == {"champion": "2"}
    assert register_stage(seed=1, fid=BETTER) == held


def test_a_first_version_waits_as_well(hold: Register) -> None:
    hold()
    assert aliases() == {"challenger": "1"}
    release(EXPERIMENTS, read)
    assert aliases() == {"champion": "1"}


def test_a_worse_version_does_not_wait(register_stage: Register, hold: Register) -> None:
    register_stage()
    hold(seed=1, fid=WORSE)
    assert release(EXPERIMENTS, read) == []
    assert aliases() == {"champion": "1", "challenger": "2"}


def test_only_what_the_records_say_is_released(register_stage: Register, hold: Register) -> None:
    register_stage()
    merged = Path("reports/promotion/tiny-vae.json").read_bytes()
    hold(seed=1, fid=BETTER)
    assert release(EXPERIMENTS, lambda path: merged if "promotion" in path else None) == []
    assert aliases() == {"champion": "1", "challenger": "2"}


def test_a_champion_that_changed_meanwhile_stays(register_stage: Register, hold: Register) -> None:
    register_stage()
    hold(seed=1, fid=BETTER)
    merged = Path("reports/promotion/tiny-vae.json").read_bytes()
    register_stage(seed=2, fid=WORSE)
    actions.promote("tiny-vae/3", "for a demo")
    (line,) = release(EXPERIMENTS, lambda _: merged)
    assert "goes on waiting" in line
    assert aliases()["champion"] == "3"


def test_a_version_whose_place_was_taken_waits_no_longer(
    register_stage: Register, hold: Register
) -> None:
    register_stage()
    hold(seed=1, fid=BETTER)
    merged = Path("reports/promotion/tiny-vae.json").read_bytes()
    register_stage(seed=2, fid=(0.5, 0.45, 0.55))
    assert WAITS not in connect(resolve()).get_model_version("tiny-vae", "2").tags
    assert release(EXPERIMENTS, lambda _: merged) == []
    assert aliases()["champion"] == "3"


def test_what_a_person_took_back_is_neither_held_nor_released_again(
    register_stage: Register, hold: Register
) -> None:
    register_stage()
    hold(seed=1, fid=BETTER)
    merged = Path("reports/promotion/tiny-vae.json").read_bytes()
    actions.promote("tiny-vae/2", "at once")
    assert WAITS not in connect(resolve()).get_model_version("tiny-vae", "2").tags
    actions.rollback("tiny-vae", "odd")
    assert hold(seed=1, fid=BETTER)["decision"] == "challenger"
    # As a version was left that waited when it was promoted by hand and taken back.
    connect(resolve()).set_model_version_tag("tiny-vae", "2", WAITS, "to be merged")
    (line,) = release(EXPERIMENTS, lambda _: merged)
    assert "version 2, is not promoted: set aside on" in line
    assert aliases() == {"champion": "1", "challenger": "2"}


def test_a_release_cut_short_is_completed_and_done_once(
    hold: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    hold()

    def fail(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "delete_model_version_tag", fail)
        with pytest.raises(Exception, match="killed"):
            release(EXPERIMENTS, read)
    assert aliases() == {"champion": "1"}
    assert len(release(EXPERIMENTS, read)) == 1
    assert release(EXPERIMENTS, read) == []
    assert aliases() == {"champion": "1"}


def test_a_champion_that_is_held_again_stays_champion(
    register_stage: Register, hold: Register
) -> None:
    register_stage()
    hold()
    assert aliases() == {"champion": "1"}


def test_looking_opens_no_books(project: Path) -> None:
    (project / "mlflow.db").unlink()
    record = b'{"decision": "champion", "digests": {"model": "0"}}'
    assert release(EXPERIMENTS, lambda _: record) == []
    assert not (project / "mlflow.db").exists()


def test_what_goes_on_waiting_is_promoted_when_its_champion_is_back(
    register_stage: Register, hold: Register
) -> None:
    register_stage()
    hold(seed=1, fid=BETTER)
    merged = Path("reports/promotion/tiny-vae.json").read_bytes()
    register_stage(seed=2, fid=WORSE)
    actions.promote("tiny-vae/3", "for a demo")
    assert "goes on waiting" in release(EXPERIMENTS, lambda _: merged)[0]
    actions.rollback("tiny-vae", "the demo is over")
    assert aliases()["champion"] == "1"
    assert "version 2, is champion" in release(EXPERIMENTS, lambda _: merged)[0]
    assert release(EXPERIMENTS, lambda _: merged) == []


@pytest.mark.parametrize("content", [b"<<<<<<< HEAD\n{}\n", b"{}", b"[]", b"\xff"])
def test_a_damaged_record_is_one_line(project: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"tiny-vae\.json: no record of a promotion") as caught:
        release(EXPERIMENTS, lambda _: content)
    assert "\n" not in str(caught.value)
