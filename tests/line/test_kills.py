"""Twenty killings of the campaign, some of each stage; docs/reliability.md has the long one."""

from pathlib import Path

import kill_campaign
import pytest

pytestmark = pytest.mark.line

KILLS = 20


def test_a_kill_at_any_moment_leaves_nothing_behind(tmp_path: Path) -> None:
    done = kill_campaign.run(tmp_path, KILLS, seed=7)
    assert len(done) == KILLS
    assert [kill for kill in done if kill.wrong] == []
    assert {kill.stage for kill in done} == set(kill_campaign.STAGES)
    assert {kill.victim for kill in done} == set(kill_campaign.VICTIMS)
