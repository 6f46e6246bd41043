"""An expectation in plain words, from its Great Expectations type and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genline.reporting.numbers import format_exact
from genline.reporting.validation.skeleton import plain as readable

# {range}, {set} and so on are filled in from the arguments by _parts().
_SENTENCES = {
    "expect_table_row_count_to_be_between": "The number of items is {range}",
    "expect_table_row_count_to_equal": "There are exactly {value} items",
    "expect_table_column_count_to_equal": "The item table has exactly {value} columns",
    "expect_table_columns_to_match_set": "The item table has the columns {columns}",
    "expect_table_columns_to_match_ordered_list": "The item table has, in order, {columns}",
    "expect_column_to_exist": "The column is there",
    "expect_column_values_to_not_be_null": "{Most} value is present",
    "expect_column_values_to_be_null": "{Most} value is missing",
    "expect_column_values_to_be_unique": "{Most} value stands once",
    "expect_column_values_to_be_between": "{Most} value is {range}",
    "expect_column_values_to_be_in_set": "{Most} value is {one_of}{set}",
    "expect_column_values_to_not_be_in_set": "{Most} value is none of {set}",
    "expect_column_values_to_match_regex": "{Most} value matches the pattern {regex}",
    "expect_column_values_to_not_match_regex": "{Most} value is free of the pattern {regex}",
    "expect_column_values_to_be_of_type": "{Most} value has the type {type_}",
    "expect_column_values_to_be_in_type_list": "{Most} value has one of the types {types}",
    "expect_column_value_lengths_to_be_between": "{Most} value has a length {range}",
    "expect_column_value_lengths_to_equal": "{Most} value is exactly {value} long",
    "expect_column_min_to_be_between": "The smallest value is {range}",
    "expect_column_max_to_be_between": "The largest value is {range}",
    "expect_column_mean_to_be_between": "The mean is {range}",
    "expect_column_median_to_be_between": "The median is {range}",
    "expect_column_stdev_to_be_between": "The standard deviation is {range}",
    "expect_column_sum_to_be_between": "The sum is {range}",
    "expect_column_unique_value_count_to_be_between": "The number of different values is {range}",
    "expect_column_proportion_of_unique_values_to_be_between": (
        "The share of different values is {range}"
    ),
    "expect_column_distinct_values_to_be_in_set": "Only these values occur: {set}",
    "expect_column_distinct_values_to_equal_set": "Exactly these values occur: {set}",
    "expect_column_distinct_values_to_contain_set": "All of these values occur: {set}",
    "expect_column_most_common_value_to_be_in_set": "The most frequent value is one of {set}",
    "expect_column_pair_values_to_be_equal": "{Most} item has the same value in both columns",
    "expect_column_kl_divergence_to_be_less_than": (
        "The shares of the values differ from {partition} by less than {threshold} nats (KL)"
    ),
    "expect_compound_columns_to_be_unique": "{Most} combination of {columns} stands once",
}

# Of columns that say whether something is wrong with an item, where none may be so.
_NEVER = {
    "near_constant": "No image is all but blank",
    "equal_across": "No item equals one of another split",
    "near_across": "No item is nearly equal to one of another split",
    "leaked": "No test item stands in train, equal or nearly so",
}
# Of the drift table, which has a row for each column of the item table.
_DRIFT = {
    "psi": "the population stability index of every column is {range}",
    "psi_beyond_chance": "the population stability index of every column exceeds chance by {range}",
    "kl": "the divergence (KL) of every column, in nats, is {range}",
}
_CLASSES = 20  # named of more

# The columns of the item tables of genline.data.validation.
COLUMNS = {
    "label": "The class of an item, or the part of the source it is from.",
    "split": "The split that the source gives an item.",
    "file": "The file an image is from.",
    "channels": "Values a pixel: 1 for grey, 3 for colour.",
    "height": "Rows of pixels.",
    "width": "Columns of pixels.",
    "min": "The darkest level in an image.",
    "max": "The brightest level in an image.",
    "mean": "The mean level of an image: how bright it is.",
    "std": "The standard deviation of an image’s levels: its contrast.",
    "entropy": "How varied an image’s levels are, in bits: 0 for a blank one.",
    "near_constant": "Whether an image has next to no contrast, so that nothing is seen on it.",
    "characters": "The length of a text, in characters.",
    "words": "The length of a text, in words: what white space parts.",
    "tokens": "Words, marks and single ideographs: a tokenizer is trained only later.",
    "script": "The script of most of a text’s letters.",
    "latin": "The share of a text’s letters in Latin script.",
    "cyrillic": "The share of a text’s letters in Cyrillic script.",
    "greek": "The share of a text’s letters in Greek script.",
    "arabic": "The share of a text’s letters in Arabic script.",
    "hebrew": "The share of a text’s letters in Hebrew script.",
    "devanagari": "The share of a text’s letters in Devanagari script.",
    "thai": "The share of a text’s letters in Thai script.",
    "han": "The share of a text’s letters that are Han ideographs.",
    "kana": "The share of a text’s letters that are Hiragana or Katakana.",
    "hangul": "The share of a text’s letters in Hangul script.",
    "other_scripts": "The share of a text’s letters in any script not named here.",
    "equal_across": "Whether an equal item stands in another split.",
    "near_across": "Whether a nearly equal item stands in another split.",
    "leaked": "Whether a test item is trained on: an equal or nearly equal one stands in train.",
    "control_characters": "Invisible control characters in a text, tabs and line breaks aside.",
    "replacement_characters": "Characters lost to a wrong encoding, shown as �.",
    "ascii_letters": "The share of plain letters a to z: low for tables, code or other scripts.",
    "repetition": "The share of a text’s most frequent word: high for a text that repeats itself.",
}


def sentence(expectation: Mapping[str, Any]) -> str:
    """What was expected, as a sentence without a full stop.

    A type not known here is spelt out from its name and arguments, so that nothing is hidden.
    """
    kind, kwargs = str(expectation["type"]), dict(expectation["kwargs"])
    template = _told_by_column(kind, kwargs, expectation.get("table")) or _SENTENCES.get(kind)
    if template is None:
        arguments = ", ".join(
            f"{name} = {plain(value)}"
            for name, value in sorted(kwargs.items())
            if name not in ("column", "batch_id") and value is not None
        )
        words = kind.removeprefix("expect_").replace("_", " ")
        words = words[:1].upper() + words[1:]
        return f"{words} ({arguments})" if arguments else words
    parts = {name: plain(value) for name, value in kwargs.items()}
    return template.format_map(_Parts(parts | _parts(kwargs)))


def class_names(source: Mapping[str, Any]) -> str:
    """Which number of a label is which class, of the first; '' where numbers are the names."""
    names = [str(name) for name in source.get("class_names") or []]
    if names == [str(number) for number in range(len(names))]:
        return ""
    more = f" and {len(names) - _CLASSES} more" if len(names) > _CLASSES else ""
    return ", ".join(f"{i} is {name}" for i, name in enumerate(names[:_CLASSES])) + more


def _told_by_column(kind: str, kwargs: Mapping[str, Any], table: Any) -> str | None:
    """A template for a column whose meaning says it better than its values do."""
    column, every = str(kwargs.get("column")), kwargs.get("mostly") is None
    template = _SENTENCES.get(kind)
    if table == "drift":
        if every and kind == "expect_column_values_to_be_between" and column in _DRIFT:
            return f"Since the version before, {_DRIFT[column]}"
        return template and f"Since the version before: {template}"
    if every and kind == "expect_column_values_to_be_unique" and column == "digest":
        return "No item equals another (the digest is a hash of its content)"
    if every and kind == "expect_column_values_to_be_in_set" and kwargs.get("value_set") == [False]:
        return _NEVER.get(column)
    return None


def plain(value: Any) -> str:
    """A value of the suite in words; a limit is never rounded."""
    if isinstance(value, int | float):
        return format_exact(value)
    return readable(value)


class _Parts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "not given"


def _parts(kwargs: Mapping[str, Any]) -> dict[str, str]:
    mostly = kwargs.get("mostly")
    share = "every" if mostly is None or mostly >= 1 else _at_least(mostly)
    columns = kwargs.get("column_set") or kwargs.get("column_list") or []
    return {
        "most": share,
        "Most": share[0].upper() + share[1:],
        "range": _range(kwargs),
        "one_of": "one of " if len(kwargs.get("value_set") or []) != 1 else "",
        "set": ", ".join(plain(v) for v in kwargs.get("value_set") or []),
        "partition": _partition(kwargs.get("partition_object") or {}),
        "types": ", ".join(plain(v) for v in kwargs.get("type_list") or []),
        "columns": ", ".join(plain(v) for v in columns),
    }


def _partition(partition: Mapping[str, Any]) -> str:
    values, weights = partition.get("values"), partition.get("weights") or []
    if not values:
        return "those of the given bins"
    if len(set(weights)) == 1:
        return f"equal shares of {', '.join(map(plain, values))}"
    pairs = zip(values, weights, strict=False)
    return ", ".join(f"{plain(v)}: {100 * w:.10g} %" for v, w in pairs)


def _at_least(share: float) -> str:
    return f"in at least {100 * share:.10g} % of the items, the"


def _range(kwargs: Mapping[str, Any]) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above = "more than" if kwargs.get("strict_min") else "at least"
    below = "less than" if kwargs.get("strict_max") else "at most"
    if low is not None and low == high:
        return f"exactly {plain(low)}"
    if low is not None and high is not None:
        if above == "at least" and below == "at most":
            return f"between {plain(low)} and {plain(high)}"
        return f"{above} {plain(low)} and {below} {plain(high)}"
    if low is not None:
        return f"{above} {plain(low)}"
    if high is not None:
        return f"{below} {plain(high)}"
    return "anything"
