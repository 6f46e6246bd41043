"""The loop, proved whole: remotes in folders, a real MLflow server, and data that changes.

The tests are one story and run in their order: each begins where the one before left the world.
"""

import json
import os
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest
from clones import Clone, Run
from kill_campaign import processes
from loop_world import BRANCH, EXPERIMENT, World, digits, scrambled

pytestmark = [pytest.mark.line, pytest.mark.xdist_group("retrain")]

MAIN, RESULT = "refs/heads/main", f"refs/heads/{BRANCH}"
REQUEST = f"refs/pull-requests/{BRANCH}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A better model is promoted at once, until the first one is there."""
    world = World(tmp_path_factory.mktemp("loop"))
    try:
        images, labels = digits(600)
        world.data(scrambled(images), labels)
        world.begin({"retrain.promote": "at_once"})
        yield world
    finally:
        world.end()


def one_line(run: Run) -> str:
    """The one line with which a retraining refuses."""
    assert run.status == 1, run.text
    lines = [row for row in run.text.splitlines() if row.startswith("genline retrain: ")]
    assert len(lines) == 1, run.text
    return lines[0]


def promotion(world: World, ref: str = BRANCH) -> dict[str, object]:
    found: dict[str, object] = json.loads(world.show(f"reports/promotion/{EXPERIMENT}.json", ref))
    return found


def model(world: World, ref: str = BRANCH) -> str:
    return str(
        json.loads(world.show(f"reports/evaluation/{EXPERIMENT}.json", ref))["digests"]["model"]
    )


def test_with_at_once_a_model_is_champion_as_soon_as_its_branch_is_pushed(world: World) -> None:
    """And not before: a git remote that refuses, after the data were pushed, leaves all as it was.

    The first model is made from scrambled digits.
    """
    runner, main = world.runner("first"), world.refs()[MAIN]
    hook = world.origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho no room >&2\nexit 1\n")
    hook.chmod(0o755)
    assert "did not take" in one_line(world.retrain(runner, check=False))
    assert world.refs() == {MAIN: main}
    assert set(world.aliases()) == {"challenger"}
    hook.unlink()
    run = world.retrain(runner)
    assert not run.stages  # what was made is not made again
    assert "is champion" in run.text
    assert set(world.refs()) == {MAIN, RESULT, REQUEST}
    assert world.refs()[MAIN] == main
    assert world.aliases() == {"champion": model(world)}
    world.merge()
    world.set({"retrain.promote": "on_merge"})


def test_nothing_changed_is_said_within_seconds_and_does_nothing(world: World) -> None:
    before = world.refs(), world.aliases()
    runner = world.runner("idle")
    began = time.monotonic()
    run = runner.run_cold("genline", "retrain", MLFLOW_TRACKING_URI=world.uri)
    assert time.monotonic() - began < 20  # 10 on a quiet machine
    assert "nothing changed" in run.text
    assert not run.stages
    assert (world.refs(), world.aliases()) == before


def test_good_new_data_is_offered_and_promoted_when_it_is_merged(world: World) -> None:
    world.data(*digits())
    champion, main = world.aliases()["champion"], world.refs()[MAIN]
    world.retrain(world.runner("good"))
    assert promotion(world)["decision"] == "champion", promotion(world)
    assert world.refs()[MAIN] == main
    assert world.aliases() == {"champion": champion, "challenger": model(world)}
    assert "nothing changed since" in world.retrain(world.runner("again")).text

    text = world.git("log", "-1", "--format=%B", REQUEST)
    assert "1,797" in text
    assert "The gate: to be champion" in text
    assert "| metric (95 % interval) | champion | candidate | floor |" in text
    assert f"Champion: the weights `{champion[:12]}`, measured on the same data" in text
    assert f"reports/difference/{EXPERIMENT}-before.png" in text
    assert world.git("cat-file", "-t", f"{BRANCH}:reports/difference/{EXPERIMENT}-after.png")

    world.merge()
    assert "is champion" in world.retrain(world.runner("after")).text
    assert world.aliases() == {"champion": model(world, "main")}


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((600, 8, 8)), "near_constant"),
        (np.zeros((0, 8, 8)), ""),
    ],
    ids=["blank", "none-left"],
)
def test_bad_data_stops_the_line_and_changes_nothing(
    world: World, images: np.ndarray, words: str
) -> None:
    before = world.refs(), world.aliases()
    world.data(images, np.arange(len(images)) % 10)
    said = one_line(world.retrain(world.runner(f"bad-{len(images)}"), check=False))
    assert "stopped the line" in said
    assert words in said
    assert (world.refs(), world.aliases()) == before


def test_a_killed_run_goes_on_and_two_at_once_end_alike(world: World) -> None:
    world.data(*digits(300))  # a sixth of the data: no better than before
    killed, other = world.runner("killed"), world.runner("other")
    first, second = world.start(killed), world.start(other)
    first.wait_for("Running stage 'train@")
    assert "at work" in one_line(world.retrain(killed, check=False))
    os.killpg(first.number, signal.SIGKILL)
    first.wait()
    until = time.monotonic() + 120
    while left := processes(killed.path):  # those below it hold its lock until they end too
        assert time.monotonic() < until, left
        time.sleep(0.05)
    main = world.refs()[MAIN]
    run = world.retrain(killed)
    assert "fit_evaluator@digits" not in run.stages
    yielded = second.wait()
    said = yielded.text
    if yielded.status:  # it yielded to the other in the registry, and says so in one line
        assert "genline retrain: register@" in said, said
        said = world.retrain(other).text
    assert killed.lock() == other.lock() == world.show("dvc.lock")
    words = [text for text in (run.text, said) if "already holds this result" in text]
    assert len(words) == 1, run.text + said
    assert world.refs()[MAIN] == main
    assert world.git("rev-list", "--count", f"{MAIN}..{RESULT}").strip() == "1"


def test_worse_data_gives_a_model_that_is_recorded_and_not_promoted(world: World) -> None:
    """The two runs above were on worse data."""
    champion = world.aliases()["champion"]
    assert champion == model(world, "main")
    assert promotion(world)["decision"] == "challenger"
    assert world.aliases() == {"champion": champion, "challenger": model(world)}
    assert "not promoted" in world.git("log", "-1", "--format=%B", REQUEST)


def test_a_main_branch_that_moved_is_built_upon_or_refused(world: World) -> None:
    clone = Clone(world.top / "killed")
    world.commit("README.md", "Other words.\n")
    assert "is at" in world.retrain(clone, "--only", "publish").text
    assert world.git("rev-parse", f"{RESULT}^").strip() == world.refs()[MAIN]
    before = world.refs()
    world.commit("requirements.lock", "# other packages\n")
    said = one_line(world.retrain(clone, "--only", "publish", check=False))
    assert "moved meanwhile and requirements.lock changed" in said
    assert world.refs()[RESULT] == before[RESULT]


def test_a_merge_of_what_was_not_promoted_promotes_nothing(world: World) -> None:
    champion = world.aliases()["champion"]
    world.merge()
    assert world.retrain(world.runner("unmoved"), "--only", "promote").out == ""
    assert world.aliases()["champion"] == champion


def test_a_remote_that_is_away_stops_it_before_it_trains(world: World) -> None:
    world.data(*digits(1000))
    runner = world.runner("away")
    before = world.refs(), world.aliases()
    for place in ("store", "origin.git"):
        away = world.top / f"{place}-away"
        (world.top / place).rename(away)
        (world.top / place).write_text("no folder")
        try:
            run = world.retrain(runner, check=False)
            assert "remote" in one_line(run)
            assert not run.stages
        finally:
            (world.top / place).unlink()
            away.rename(world.top / place)
    assert (world.refs(), world.aliases()) == before


def test_a_branch_with_a_persons_commit_is_left_alone(world: World) -> None:
    world.commit("NOTES", "mine\n", BRANCH)
    before = world.refs()
    said = one_line(world.retrain(world.runner("polite"), check=False))
    assert "By hand" in said
    assert "retrain did not make" in said
    assert world.refs() == before
