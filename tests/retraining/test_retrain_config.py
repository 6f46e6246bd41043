"""The ``retrain`` section: the main branch can never be the one that is pushed to."""

import pytest

from genline.core.errors import ParamsError
from genline.core.params import parse_section
from genline.retraining.config import Retrain


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"branch": "main"}, "the base itself, which is never pushed to"),
        ({"base": "genline/retrain"}, "the base itself"),
        ({"branch": "--force"}, "no name of a branch"),
        ({"branch": "a..b"}, "no name of a branch"),
        ({"branch": "main:main"}, "no name of a branch"),
        ({"pull_request": "git-hub"}, "did you mean 'github'"),
        ({"promote": "on-merge"}, "did you mean 'on_merge'"),
        ({"remotes": "origin"}, "did you mean 'remote'"),
    ],
)
def test_a_wrong_setting_is_one_line(values: dict[str, str], words: str) -> None:
    with pytest.raises(ParamsError, match=words):
        parse_section(Retrain, values, "retrain")


def test_without_a_section_the_defaults_hold() -> None:
    assert parse_section(Retrain, {}, "retrain").branch == "genline/retrain"
