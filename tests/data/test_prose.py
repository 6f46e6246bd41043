"""Sentences out of docstrings: prose stays, code and markup go."""

from __future__ import annotations

import pytest

from genline.data.sources.prose import blocks, is_prose, sentences, split_sentences, strip_markup

NUMPY_STYLE = """Compute the arithmetic mean along
    the given axis.

    The average is taken over the flattened array by default, otherwise
    over the given axis [1]_. See ``np.average`` for weights of items.

    Parameters
    ----------
    a : array_like
        Array holding the numbers whose mean is desired. If `a` is not an
        array, a conversion is attempted.
    axis : int, optional
        Axis along which the means are computed.

        .. versionadded:: 1.7.0

    Returns
    -------
    m : ndarray
        A new array that holds the mean values.

    Notes
    -----
    The mean is the **sum** of the elements, divided by their *number*::

        This is code. It is not a sentence at all.

    .. math:: This formula is not a sentence either.

    .. note::
        Half precision may give results that are not exact.

    - The first point is made by this list item.
    - The second point, which is longer than its line,
      goes on below the first.

    ======  ===========================
    Name    Meaning of the table entry.
    ======  ===========================
    One     The first row of this table.
    ======  ===========================

    Examples
    --------
    >>> a = mean(1)
    This is what the doctest printed out.
    """


def test_a_numpy_docstring_gives_its_prose_and_nothing_else() -> None:
    assert sentences(NUMPY_STYLE, 5, 30) == [
        "Compute the arithmetic mean along the given axis.",
        "The average is taken over the flattened array by default, otherwise over the given axis.",
        "Array holding the numbers whose mean is desired.",
        "If a is not an array, a conversion is attempted.",
        "Axis along which the means are computed.",
        "A new array that holds the mean values.",
        "Half precision may give results that are not exact.",
        "The first point is made by this list item.",
        "The second point, which is longer than its line, goes on below the first.",
    ]


def test_a_heading_is_no_part_of_the_paragraph_below_it() -> None:
    assert blocks("Heading\n-------\nThe text below.") == ["The text below."]


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("Use :func:`~os.path.join` here.", "Use \N{REPLACEMENT CHARACTER} here."),
        ("See :ref:`the user guide <guide>` first.", "See the user guide first."),
        ("The ``axis`` is *not* **needed**.", "The axis is not needed."),
        ("A `link <http://example.org>`_ to it.", "A link to it."),
        ("Shown before [1]_, [Knuth97]_.", "Shown before,."),
        ("As given in [1]_.", "As given \N{REPLACEMENT CHARACTER}."),
        ("It\u2019s  a\ttest.", "It's a test."),
    ],
)
def test_markup_is_taken_off(markup: str, shown: str) -> None:
    assert strip_markup(markup) == shown


def test_full_stops_of_abbreviations_and_initials_end_no_sentence() -> None:
    text = "Use one, e.g. The first. It is by D. E. Knuth, cf. Fig. A. Is it good? Yes."
    assert split_sentences(text) == [
        "Use one, e.g. The first.",
        "It is by D. E. Knuth, cf. Fig. A. Is it good?",
        "Yes.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Call the do_it function on every item.",
        "Call os.path on every single item.",
        "Set readOnly on every single item.",
        "Take a[0] from every single list.",
        "Take f(x) of every single item.",
        "This one ends without a full stop",
        "this one starts in lower case.",
        "Use int64 for every single item.",
        "If the file cannot be found.",
        "Olivier Delalleau, Yoshua Bengio, Nicolas Le Roux.",
        'An "open quote is not closed here.',
        "TODO write this one some day.",
        "Too short a one.",
        "Résumé of every single item here.",
    ],
)
def test_what_does_not_read_as_plain_english_is_left_out(text: str) -> None:
    assert not is_prose(text, 5, 30)


@pytest.mark.parametrize(
    "text",
    [
        "Return the index of the first item.",
        "If the file cannot be found, an error is raised.",
        "It doesn't use a two-dimensional HTTP request.",
        'Use "r" for reading; anything else is refused.',
        "Is there at least 1 item left?",
    ],
)
def test_plain_english_is_kept(text: str) -> None:
    assert is_prose(text, 5, 30)


def test_the_bounds_count_words() -> None:
    assert is_prose("One two three four five.", 5, 5)
    assert not is_prose("One two three four five.", 6, 30)
    assert not is_prose("One two three four five.", 1, 4)
