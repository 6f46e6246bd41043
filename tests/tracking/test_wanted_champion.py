from __future__ import annotations

import pytest

from genline.tracking.wanted import wanted_champion

M, X, Y, P = "m" * 64, "x" * 64, "y" * 64, "p" * 64
ALL = {M, X, Y, P}


def promotion(decision, against=None):
    return {"decision": decision, "digests": {"model": M}, "against": against}


def person(model, previous, seen=M, when="2026-01-01"):
    return {"model": model, "previous": previous, "seen": seen, "when": when}


@pytest.mark.parametrize(
    ("decision", "against", "current", "wanted"),
    [
        ("champion", None, None, M),  # the first, in an empty registry
        ("champion", X, X, M),  # cut off before the alias
        ("champion", X, None, M),  # an empty registry again
        ("champion", X, M, None),  # as it is
        ("champion", X, Y, None),  # the registry has gone on
        ("champion", None, Y, None),
        ("challenger", X, X, None),  # as it is
        ("challenger", X, None, X),  # the champion that it did not replace
        ("challenger", None, None, None),  # unhealthy and alone: there is none
        ("challenger", X, Y, None),
        ("challenger", X, M, None),  # somebody made it champion all the same
    ],
)
def test_the_alias_moves_only_as_the_files_decided(decision, against, current, wanted):
    assert wanted_champion(promotion(decision, against), None, current, ALL).champion == wanted


def test_a_registry_that_has_gone_on_is_left_and_that_is_said():
    found = wanted_champion(promotion("champion", X), None, Y, ALL)
    assert found.champion is None
    assert Y[:12] in found.note


def test_a_champion_whose_files_are_not_here_is_named():
    found = wanted_champion(promotion("challenger", X), None, None, {M})
    assert found.champion is None
    assert X[:12] in found.note


@pytest.mark.parametrize("current", [None, M])
def test_what_a_person_decided_after_the_gate_holds(current):
    told = person(model=X, previous=M)
    assert wanted_champion(promotion("champion", X), told, current, ALL).champion == X


def test_what_a_person_decided_about_an_earlier_model_is_past():
    told = person(model=P, previous=X, seen=Y)
    assert wanted_champion(promotion("champion", P), told, P, ALL).champion == M


def test_a_rollback_on_record_in_the_registry_alone_is_not_undone():
    """Made in another clone: its line has not come here, but the version carries it."""
    rolled_back = person(model=X, previous=M)
    found = wanted_champion(promotion("champion", X), None, X, ALL, rolled_back)
    assert found.champion is None


def test_of_two_decisions_the_later_holds():
    older, newer = person(P, M, when="2026-01-01"), person(X, P, when="2026-02-01")
    assert wanted_champion(promotion("champion", X), older, P, ALL, newer).champion == X
    assert wanted_champion(promotion("champion", X), newer, P, ALL, older).champion == X
