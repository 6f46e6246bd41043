"""Cleaning: each parameter on what it is for, and what is the same by default."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from genline.data.preparation.cleaning import clean_item, cleaned
from genline.data.preparation.config import PrepareTexts
from genline.data.preparation.markup import holds_html, strip_html
from genline.data.preparation.sentences import split_sentences
from genline.data.sources.items import Keys, TextItem


def section(**changes: Any) -> PrepareTexts:
    usual = {"valid": 0.1, "test": 0.1, "near_duplicates": 0.8, "vocabulary": 300}
    return PrepareTexts(**{**usual, "max_tokens": 20, "unknown": "keep", **changes})


def one(text: str, **changes: Any) -> str:
    (found,) = cleaned(text, section(**changes)) or [""]
    return found


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_by_default_texts_are_composed_and_their_spaces_single(text: str) -> None:
    wanted = re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", unicodedata.normalize("NFC", text)).split()
    assert cleaned(text, section()) == ([" ".join(wanted)] if wanted else [])


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.booleans())
def test_what_is_clean_stays_as_it_is(text: str, lower_case: bool) -> None:
    for white_space in ("single", "lines", "keep"):
        given = section(
            white_space=white_space, lower_case=lower_case, invisible="remove", control="remove"
        )
        for found in cleaned(text, given):
            assert cleaned(found, given) == [found]


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("NFC", "é ﬁ Ａ"),
        ("NFD", "e\u0301 ﬁ Ａ"),
        ("NFKC", "é fi A"),
        ("NFKD", "e\u0301 fi A"),
        ("none", "e\u0301 ﬁ Ａ"),
    ],
)
def test_the_form_of_unicode_is_the_one_asked_for(form: str, wanted: str) -> None:
    assert one("e\u0301 ﬁ Ａ", unicode=form) == wanted


def test_control_characters_become_spaces_or_nothing() -> None:
    assert one("a\x00b\x85c") == "a b c"
    assert one("a\x00b\tc", control="remove") == "ab c"  # a tab is white space
    assert one("a\x00b", control="keep") == "a\x00b"


def test_what_cannot_be_seen_is_removed_on_demand() -> None:
    text = "\ufeffco\u00adop\u200berate \u202eabc\u202c"
    assert one(text) == text
    assert one(text, invisible="remove") == "cooperate abc"
    family = "👨\u200d👩\u200d👧 می\u200cخواهم"  # joiners are part of the spelling
    assert one(family, invisible="remove") == family


def test_line_breaks_can_stay() -> None:
    text = " a  b \r\n\r\n\tc \u2028 d\x00e "
    assert one(text) == "a b c d e"
    assert one(text, white_space="lines") == "a b\nc\nd e"
    assert one(" a\t b\n", white_space="keep") == " a\t b\n"
    assert cleaned(" \n ", section(white_space="keep")) == []


def test_lowering_leaves_texts_composed() -> None:
    assert one("ÉCOLE Straße İ", lower_case=True) == "école straße i̇"


def test_imdb_leaves_no_html() -> None:
    text = "Great film.<br /><br />I'd give it 9/10 &amp; more&#33; <i>Very</i> good &lt;3"
    assert one(text, html="strip") == "Great film. I'd give it 9/10 & more! Very good <3"
    assert one(text) == text


@pytest.mark.parametrize(
    "text", ["the <unk> of N", "I <3 you, a < b and b > c", "AT&T; R&D", "<grin> 5 <6>", "x<y>z"]
)
def test_what_only_looks_like_html_stays(text: str) -> None:
    assert strip_html(text) == text
    assert not holds_html(text)


def test_scripts_styles_and_comments_are_no_text() -> None:
    text = "<html><style>p {}</style><p class='a'>One<!-- two --></p><SCRIPT>x < 1</SCRIPT>3"
    assert " ".join(strip_html(text).split()) == "One 3"
    assert strip_html("ca<b>t</b>s") == "cats"
    assert strip_html("&lt;b&gt; is a tag") == "<b> is a tag"


def test_sentences_are_split_in_many_scripts() -> None:
    english = 'Dr. Smith paid $3.50 in Jan. 2020! "Why?" he asked. See e.g. Fig. 3 for U.S. data.'
    assert len(split_sentences(english, "en")) == 3
    chinese = "今天天气很好。我们去公园吧！他说：“好的。”然后走了。It works."
    assert split_sentences(chinese, "zh")[:2] == ["今天天气很好。", "我们去公园吧！"]
    assert split_sentences(chinese, "zh")[-1] == "It works."
    assert split_sentences("One line\nand its end. Two.\n\nThree", "en") == [
        "One line\nand its end.",
        "Two.",
        "Three",
    ]


@settings(max_examples=50, deadline=None)
@given(st.text(), st.sampled_from(["en", "zh", "de", "xx"]))
def test_splitting_loses_nothing_but_white_space(text: str, language: str) -> None:
    whole = "".join("".join(split_sentences(text, language)).split())
    assert whole == "".join(text.split())


def test_the_sentences_of_an_item_belong_together() -> None:
    both = section(sentences="en", html="strip", min_words=2)
    item = TextItem("reviews.csv row 3", "I saw it.<br /><br />Liked it. Yes.", "pos")
    kept, reasons = clean_item(item, both)
    assert [text.text for text in kept] == ["I saw it.", "Liked it."]
    assert [text.name[-10:] for text in kept] == ["sentence 1", "sentence 2"]
    assert reasons == ["too_short"]
    assert kept[0].keys.group == kept[1].keys.group != ""
    own = TextItem("a", item.text, "", Keys(group="author 1"))
    assert clean_item(own, both)[0][0].keys == own.keys


@pytest.mark.parametrize(
    ("changes", "text", "reason"),
    [
        ({}, "", "empty"),
        ({"min_words": 3}, "Hello, you!", "too_short"),
        ({"min_words": 3}, "我们去", None),
        ({"max_words": 3}, "我们去吧", "too_long"),
        ({"min_characters": 3}, "hi", "too_short"),
        ({"max_characters": 3}, "hello", "too_long"),
        ({"min_tokens": 3}, "Hello!", "too_short"),
        ({"max_tokens": 3}, "One two three.", "too_long"),
        ({"max_tokens": 3, "too_long": "cut"}, "One two three.", None),
        ({"max_tokens": 3, "tokenizer": "character"}, "四个字。", "too_long"),
        ({"max_tokens": 3, "tokenizer": "whitespace"}, "One two three.", None),
        ({"max_tokens": 3, "tokenizer": "bpe"}, "One two three four five.", None),  # not yet known
    ],
)
def test_texts_out_of_bounds_are_left_out_for_a_reason(
    changes: dict[str, Any], text: str, reason: str | None
) -> None:
    kept, reasons = clean_item(TextItem("a", text, ""), section(**changes))
    assert reasons == ([reason] if reason else [])
    assert len(kept) == (reason is None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_words": 5, "max_words": 4}, "min_words is 5, above max_words 4; lower it"),
        ({"min_tokens": 30}, "min_tokens is 30, above max_tokens 20; lower it"),
        ({"tokenizer": "bpe", "vocabulary": 259}, "256 bytes and 4 special ones, so give 260"),
    ],
)
def test_bounds_that_leave_no_room_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section(**changes)
