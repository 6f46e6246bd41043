"""What a pull request says: data item by item, metrics with intervals, samples, the gate."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd

from genline.retraining import difference
from genline.retraining.difference import compare, from_files, to_files

PARAMS = {"datasets": {"own": {}}, "experiments": {"vae": {}}}


class Files(dict[str, bytes]):
    """Outputs held in memory."""

    def read(self, path: str) -> bytes | None:
        return self.get(path)

    def digest(self, out: str) -> str | None:
        """Of what a table held, also where it is lost."""
        content = self.get(f"{out}/items.parquet") or self.get(f"{out}/lost")
        return None if content is None else str(hash(content))


def outputs(
    items: str = "abc",
    fid: float = 2.0,
    model: str = "m1",
    decision: str = "champion",
    reason: str = "better beyond the noise",
    **champion: Any,
) -> Files:
    """One item a letter of ``items``, its mean the letter's place in the alphabet.

    ``champion``: what the gate had of it, such as ``against`` and ``champion_metrics``.
    """
    rows = [
        {"item": f"row {n}", "digest": c, "mean": float(ord(c) - 96), "label": c}
        for n, c in enumerate(items)
    ]
    table = io.BytesIO()
    pd.DataFrame(rows).to_parquet(table)
    metric = {
        "title": "FID",
        "unit": "",
        "better": "lower",
        "floor": 0.5,
        "value": fid,
        "low": fid - 0.25,
        "high": fid + 0.25,
        "count": 9,
    }
    evaluation: dict[str, Any] = {
        "experiment": "vae",
        "digests": {"model": model, "data": items, "evaluator": "e", "protocol": "p"},
        "metrics": {"fid": metric},
        "health": {"copies": {"passed": True, "reason": "fine"}},
    }
    promotion = {"decision": decision, "reason": reason, "metric": "fid", **champion}
    return Files(
        {
            "data/validated/own/items.parquet": table.getvalue(),
            "data/prepared/own/meta.json": json.dumps({"counts": {"train": len(items)}}).encode(),
            "reports/evaluation/vae.json": json.dumps(evaluation).encode(),
            "reports/promotion/vae.json": json.dumps(promotion).encode(),
            "reports/samples/vae/samples.txt": b"one\ntwo\n",
        }
    )


STRONG = {
    "against": "m0" * 20,
    "champion_metrics": {"fid": {"value": 1.5, "low": 1.25, "high": 1.75}},
}


def samples_of(experiment: str, digest: str) -> dict[str, bytes]:
    """Those of the one champion that the registry holds."""
    assert experiment == "vae"
    return {"samples.txt": b"three\n"} if digest == STRONG["against"] else {}


def told(before: Files, after: Files) -> str:
    found = compare(PARAMS, before, after, samples_of)
    assert found is not None
    return found.text


def test_the_same_data_and_model_make_no_difference() -> None:
    assert compare(PARAMS, outputs(), outputs(), samples_of) is None


def test_items_are_compared_by_content_and_counted_with_their_copies() -> None:
    text = told(outputs("aabc"), outputs("acddd", model="m2"))
    assert "Items: 4 → 5: 3 added, 2 removed, 2 the same." in text


def test_statistics_that_changed_are_shown_with_their_shift() -> None:
    text = told(outputs("aacc"), outputs("bbdd", model="m2"))
    # Mean 2 and deviation 1 before, mean 3 and deviation 1 after.
    assert "| mean | 2 ± 1 | 3 ± 1 | +1.00 σ |" in text
    assert "| a | 2 | 0 |" in text
    assert "mean |" not in told(outputs("abc"), outputs("abc", model="m2"))


def test_metrics_of_champion_and_candidate_stand_side_by_side_with_their_intervals() -> None:
    text = told(outputs(fid=2.0), outputs(fid=1.0, model="m2", **STRONG))
    assert "| metric (95 % interval) | champion | candidate | floor |" in text
    assert "| FID ↓ | 1.5 (1.25 to 1.75) | 1 (0.75 to 1.25) | 0.5 |" in text
    assert "Champion: the weights `m0m0m0m0m0m0`, measured on the same data" in text


def test_a_champion_that_head_holds_and_that_could_not_be_scored_again_has_its_old_figures() -> (
    None
):
    text = told(outputs("abc", fid=2.0), outputs("abcd", fid=1.0, model="m2", against="m1"))
    assert "| FID ↓ | 2 (1.75 to 2.25) | 1 (0.75 to 1.25) | 0.5 |" in text
    assert "with its figures of before, measured on other data" in text


def test_a_model_of_head_that_was_not_promoted_is_no_side_of_the_comparison() -> None:
    text = told(outputs(fid=9.0, decision="challenger"), outputs(fid=1.0, model="m2", against="mx"))
    assert "| FID ↓ | – | 1 (0.75 to 1.25) | 0.5 |" in text
    assert "Champion: the weights `mx`, which could not be measured as the candidate was" in text


def test_the_gate_speaks_with_its_reason_and_the_title_says_what_came_of_it() -> None:
    rejected = outputs("abcd", model="m2", decision="challenger", reason="no better", **STRONG)
    worse = compare(PARAMS, outputs(), rejected, samples_of)
    assert worse is not None
    assert "**The gate: not promoted.** No better.\n" in worse.text
    assert worse.title == "Retrained: new data of own, no new champion"
    better = compare(PARAMS, outputs(), outputs(model="m2"), samples_of)
    assert better is not None
    assert better.title == "Retrained: new models, vae to be champion"


def test_samples_before_are_the_champions_own() -> None:
    before = outputs()
    of_head = told(before, outputs(model="m2", against="m1"))
    assert "Samples before, of the champion:\n\n```text\none\ntwo\n```" in of_head
    of_registry = told(before, outputs(model="m2", **STRONG))
    assert "Samples before, of the champion:\n\n```text\nthree\n```" in of_registry
    assert "Samples after:\n\n```text\none\ntwo\n```" in of_registry
    lost = told(before, outputs(model="m2", against="mx"))
    assert "Samples before, of the champion: not at hand." in lost


def test_samples_cannot_break_out_of_their_fence() -> None:
    after = outputs(model="m2")
    after["reports/samples/vae/samples.txt"] = b"```\n# A heading\n@somebody\n"
    text = told(outputs(), after)
    assert "````text\n```\n# A heading\n@somebody\n````" in text


def test_a_label_or_reason_can_mention_nobody() -> None:
    after = outputs("abcd", model="m2", reason="see <b> | @somebody #1")
    text = told(outputs(), after)
    assert "@somebody" not in text
    assert "<b>" not in text


def test_pictures_are_kept_beside_the_file_and_found_again() -> None:
    before, after = outputs(), outputs(model="m2")
    for side in (before, after):
        side["reports/samples/vae/samples.png"] = b"png"
    found = compare(PARAMS, before, after, samples_of)
    assert found is not None
    files = to_files(found)
    assert set(files) == {
        difference.FILE,
        "reports/difference/vae-before.png",
        "reports/difference/vae-after.png",
    }
    text = files.pop(difference.FILE).decode()
    assert "](difference/vae-after.png)" in text
    assert from_files(text, files) == found


def test_a_new_dataset_and_model_have_no_before() -> None:
    text = told(Files(), outputs())
    assert "New: 3 items." in text
    assert "| FID ↓ | – | 2 (1.75 to 2.25) | 0.5 |" in text
    assert "Champion: none stood when the candidate was judged." in text


def test_the_champion_measured_anew_is_said_to_be_itself() -> None:
    after = outputs("abcd", reason="already champion: the weights are the same")
    assert "Champion: the candidate itself." in told(outputs(), after)


def test_an_earlier_table_that_is_not_at_hand_does_not_make_a_dataset_new() -> None:
    before = outputs()
    before["data/validated/own/lost"] = before.pop("data/validated/own/items.parquet")
    assert compare(PARAMS, before, outputs(), samples_of) is None
    text = told(before, outputs("abcd", model="m2"))
    assert "Now 4 items. The earlier table is not at hand" in text
    assert "New:" not in text
