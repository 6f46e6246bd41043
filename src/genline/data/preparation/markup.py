"""What HTML has left in a text: tags, comments and entities."""

from __future__ import annotations

import html
import re

# Elements that end a line where they stand; what is in the last three is no text.
_BLOCKS = (
    "address|article|aside|blockquote|body|br|caption|center|dd|details|dialog|dir|div|dl|dt|"
    "fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hgroup|hr|html|li|"
    "main|menu|meta|nav|noframes|noscript|ol|optgroup|option|p|pre|search|section|select|summary|"
    "table|tbody|td|tfoot|th|thead|title|tr|ul"
)
_INLINE = (
    "a|abbr|acronym|applet|area|audio|b|base|basefont|bdi|bdo|big|blink|button|canvas|cite|code|"
    "col|colgroup|data|datalist|del|dfn|em|embed|font|i|iframe|img|input|ins|kbd|label|legend|"
    "link|map|mark|marquee|math|meter|nobr|object|output|param|picture|progress|q|rp|rt|ruby|s|"
    "samp|slot|small|source|span|strike|strong|sub|sup|svg|template|textarea|time|track|tt|u|var|"
    "video|wbr"
)
_ATTRIBUTES = r"""(?:\s[^<>]*)?/?"""
_HIDDEN = re.compile(r"(?is)<(script|style)\b[^>]*>.*?</\1\s*>|<!--.*?-->|<![a-z][^<>]*>")
_BREAK = re.compile(rf"(?i)</?(?:{_BLOCKS}){_ATTRIBUTES}>")
_TAG = re.compile(rf"(?i)</?(?:{_INLINE}){_ATTRIBUTES}>")


def strip_html(text: str) -> str:
    """``text`` without tags and comments, line breaks for tags that break, entities resolved.

    Only HTML's own elements are tags, so that "<unk>", "<3" and "a < b" stay.
    """
    if "<" in text:
        text = _HIDDEN.sub(" ", text)
        text = _BREAK.sub("\n", text)
        text = _TAG.sub("", text)
    return html.unescape(text) if "&" in text else text


def holds_html(text: str) -> bool:
    """Whether :func:`strip_html` would find anything in ``text``."""
    return strip_html(text) != text
