"""A few killings of the campaign, one of each stage; docs/reliability.md has the long one."""

from pathlib import Path

import kill_campaign
import pytest

pytestmark = pytest.mark.line


def test_a_kill_at_any_moment_leaves_nothing_behind(tmp_path: Path) -> None:
    done = kill_campaign.run(tmp_path, kills=len(kill_campaign.STAGES), seed=7)
    assert [kill for kill in done if kill.wrong] == []
    assert {kill.victim for kill in done} == set(kill_campaign.VICTIMS)
