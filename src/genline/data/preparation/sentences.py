"""Sentences of running text, in the scripts of some three hundred languages.

By ``sentencex``, Wikimedia's splitter: it knows each language's abbreviations, and full stops and
quotation marks of any script. Of those tried it alone is fast enough for a large corpus: 36 MB/s
of English on one core, where ``syntok`` makes 0.3 and ``pysbd`` 0.07.
"""

from __future__ import annotations


def split_sentences(text: str, language: str) -> list[str]:
    """The sentences of ``text`` in order, white space around them taken off, none empty.

    ``language``: its ISO 639 code; one without rules of its own is read as English is. An empty
    line ends a sentence, a single line break does not.
    """
    from sentencex import segment

    found = (sentence.strip() for sentence in segment(language, text))
    return [sentence for sentence in found if sentence]
