"""Sentences of plain English out of reStructuredText docstrings.

A docstring is cut into blocks (paragraphs, list items, descriptions); code, doctests, tables and
directives are left out; inline markup is taken off; each block is split into sentences; and only
sentences that read as prose are kept: no identifiers, symbols or formulas.
"""

from __future__ import annotations

import inspect
import re

_RULE = re.compile(r"^\s*([=\-~^\"'`#*+.:_<>])\1{2,}\s*$")
_TABLE = re.compile(r"^\s*(\||\+[-=+]+\+?|={2,}(\s+={2,})+|-{2,}(\s+-{2,})+)")
_LIST_ITEM = re.compile(r"^(\s*)(?:[-*+•]|\(?(?:\d{1,2}|[a-zA-Z#])[.)])\s+(?=\S)")
_FIELD = re.compile(r"^\s*:[a-zA-Z][^:`]*:(?=\s|$)\s*|^\s*@[a-z]+\b.*")
_DIRECTIVE = re.compile(r"^\s*\.\.(\s|$)")
# Directives whose indented content is prose; that of all others is left out.
_PROSE_DIRECTIVE = re.compile(
    r"^\s*\.\.\s+(note|warning|tip|hint|important|caution|attention|seealso|"
    r"versionadded|versionchanged|deprecated)::"
)

_ROLE = re.compile(r":[a-zA-Z][a-zA-Z:+-]*:`([^`]*)`")
_LITERAL = re.compile(r"``([^`]+)``")
_LINK = re.compile(r"`([^`<]+?)\s*(?:<[^>`]*>)?`_{0,2}")
_QUOTED = re.compile(r"`([^`']+)['`]")
_STRONG = re.compile(r"(?<![\w*])\*{1,2}([^\s*](?:[^*]*[^\s*])?)\*{1,2}(?![\w*])")
_CITED_PLACE = re.compile(r"(?i)\b(in|of|from|by|to|see|and|or|than)(\s*\[[^\]]*\]_?)+")
_CITATION = re.compile(r"\s*(?:\[(?:\d+|#\w*|\w+\d{2,4}\w?)\]_?)+")
_CODE = "\N{REPLACEMENT CHARACTER}"  # stands for code; no kept sentence holds it
_NAMED = re.compile(r"^([A-Za-z]+)(?:\(\))?$")

_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|resp|approx|Fig|fig|Eq|eq|Sec|sec|Ch|Ref|ref|Refs|No|no|"
    r"Vol|pp|p|Dr|Mr|Prof|St|viz|incl|dept|Inc|Univ|ed|a\.k\.a|w\.r\.t|n\.b|N\.B)|\b[A-Z])\.$"
)
_BREAK = re.compile(r"(?<=[.!?])[\"')]?\s+(?=[\"'(]?[A-Z])")

_WORD = r"[A-Za-z]+(?:['-][A-Za-z]+)*"
_TOKEN = re.compile(rf"^(?:{_WORD}|\d{{1,4}})$")
_CAMEL = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}")
_NOTE_TO_SELF = re.compile(r"\b(?:XXX|TODO|FIXME)\b")
_CONDITION = re.compile(r"^(?:If|When|Unless|While|Because|Since|Whenever)\b[^,]*$")
_SENTENCE = re.compile(r"^[A-Z](?:[A-Za-z0-9'\"-]|[,;:]?[ ](?![ ,;:.]))*[A-Za-z0-9'\"][.!?]$")


def sentences(docstring: str, min_words: int, max_words: int) -> list[str]:
    """The plain English sentences of ``docstring`` in order, min_words to max_words long."""
    found = []
    for block in blocks(docstring):
        for sentence in split_sentences(strip_markup(block)):
            if is_prose(sentence, min_words, max_words):
                found.append(sentence)
    return found


def blocks(docstring: str) -> list[str]:
    """Paragraphs, list items and descriptions, each on one line, without code and tables."""
    lines = inspect.cleandoc(docstring).expandtabs().splitlines()
    found: list[list[str]] = [[]]
    indent = -1  # of the block being read
    skip_above: int | None = None  # lines indented deeper than this are code
    in_doctest = False
    for position, line in enumerate(lines):
        if not line.strip():
            found.append([])
            indent, in_doctest = -1, False
            continue
        depth = len(line) - len(line.lstrip())
        if skip_above is not None:
            if depth > skip_above:
                continue
            skip_above = None
        if in_doctest:
            continue
        if line.lstrip().startswith((">>>", "... ")):
            in_doctest = True
            found.append([])
            continue
        if _RULE.match(line):
            # What stands above an underline is a heading, not a sentence.
            found[-1] = []
            found.append([])
            indent = -1
            continue
        if _TABLE.match(line):
            found.append([])
            in_doctest = True
            continue
        if _DIRECTIVE.match(line):
            found.append([])
            if not _PROSE_DIRECTIVE.match(line):
                skip_above = depth
            indent = -1
            continue
        item = _LIST_ITEM.match(line)
        if item:
            found.append([])
            depth = len(item.group(0))
            line = line[depth:]
        elif _FIELD.match(line):
            found.append([])
            line = _FIELD.sub("", line)
            depth = -1
        elif indent >= 0 and depth != indent:
            found.append([])
        if line.rstrip().endswith("::"):
            skip_above = len(lines[position]) - len(lines[position].lstrip())
            line = line.rstrip()[:-1]
        found[-1].append(line.strip())
        indent = depth
    return [" ".join(block) for block in found if block]


def strip_markup(text: str) -> str:
    """``text`` without roles, literals, links, emphasis and citations, spaces made single."""
    text = _ROLE.sub(lambda m: _shown(m.group(1)), text)
    text = _LITERAL.sub(lambda m: _shown(m.group(1)), text)
    text = _LINK.sub(lambda m: _shown(m.group(1)), text)
    text = _QUOTED.sub(lambda m: _shown(m.group(1)), text)
    text = _STRONG.sub(r"\1", text)
    text = _CITED_PLACE.sub(_CODE, text)
    text = _CITATION.sub("", text)
    text = text.replace("\u2019", "'").replace("\u201c", '"').replace("\u201d", '"')
    return " ".join(text.split())


def _shown(content: str) -> str:
    """What a reader sees of a role or literal; code comes out with a mark that bars the sentence.

    A sentence that quotes a plain word reads well without the quotes; one that quotes code does
    not.
    """
    content = re.sub(r"\s*<[^>]*>$", "", content.strip())
    if " " in content and "(" not in content:
        return content
    name = _NAMED.match(content.removeprefix("~").removeprefix("!"))
    return name.group(1) if name else _CODE


def split_sentences(text: str) -> list[str]:
    """Sentences of a paragraph; a full stop after an abbreviation or initial ends none."""
    found, start = [], 0
    for gap in _BREAK.finditer(text):
        before = text[start : gap.end()].rstrip()
        if _ABBREVIATION.search(before):
            continue
        found.append(before)
        start = gap.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def is_prose(sentence: str, min_words: int, max_words: int) -> bool:
    """Whether ``sentence`` is plain English: whole, of words alone, without identifiers."""
    if not _SENTENCE.match(sentence) or sentence.count('"') % 2:
        return False
    # "If the file is missing." stands in many lists of errors, and is half a sentence.
    if _NOTE_TO_SELF.search(sentence) or _CONDITION.match(sentence):
        return False
    words = [word.strip("'\",;:") for word in sentence[:-1].split()]
    if not min_words <= len(words) <= max_words:
        return False
    if not all(_TOKEN.match(word) and not _CAMEL.search(word) for word in words):
        return False
    # Names of people, headings and acronyms in a row are no sentence either.
    capitals = sum(word[0].isupper() for word in words[1:])
    numbers = sum(word.isdigit() for word in words)
    return capitals <= len(words) // 3 and numbers <= 2
