"""Which keys a server receives as they were sent: in XML, and in the path of a URL."""

import re
import unicodedata
from collections.abc import Sequence

# XML 1.0's characters (https://www.w3.org/TR/xml/#charsets) without those that a parser may
# replace, drop or refuse: tab and line ends, also those of XML 1.1 (U+0085, U+2028), other control
# characters, the byte order mark, and U+FDD0 to U+FDEF, which are no characters.
_STABLE_CHARACTERS = re.compile(
    "[ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufdcf\ufdf0-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*"
)
_GRAPHIC_ASCII = re.compile("[!-~]*")
_TRIMMED_CATEGORIES = ("Z", "C")
"""Unicode categories of spaces, and of control and format characters.

They include everything that the trim functions of JavaScript, Java, Go and Python remove.
"""
_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:/|$)")


def filter_xml_stable(keys: Sequence[str]) -> Sequence[str]:
    """Return the keys that no XML parser or server changes, in order; usually all of them.

    | key                       | in XML | because                                     |
    |---------------------------|--------|---------------------------------------------|
    | `v1/a b`                  | yes    |                                             |
    | ` v1/a`, `v1/a\u00a0`       | no     | s3rver, for example, trims it to `v1/a`     |
    | `v1/a  b`, `v1/a\\tb`      | no     | white space may be collapsed to one space   |
    | `v1/a\\nb`                 | no     | parsers normalize line ends                 |
    | `v1/e\u0301`               | no     | NFC makes one character of two              |
    """
    if _are_xml_stable(keys):
        return keys
    return [key for key in keys if _are_xml_stable([key])]


def is_xml_stable(key: str) -> bool:
    """Return True if no XML parser or server changes the key; see `filter_xml_stable`."""
    return _are_xml_stable([key])


def is_url_stable(key: str) -> bool:
    """Return True if no HTTP client, proxy or server changes the key in the path of a URL.

    A segment `.` or `..` may be resolved: `v1/../v2/a` would be `v2/a`.
    Source: https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4
    """
    return not _DOT_SEGMENT.search(key)


def _are_xml_stable(keys: Sequence[str]) -> bool:
    """Test all keys at once: the answer for many is nearly always the same."""
    # As in XML, `>` precedes each key: NFC would make one character of it and U+0338.
    text = ">" + ">".join(keys)
    if "  " in text or not _STABLE_CHARACTERS.fullmatch(text):
        return False
    edges = "".join([f"{key[:1]}{key[-1:]}" for key in keys])
    if not _GRAPHIC_ASCII.fullmatch(edges) and any(
        unicodedata.category(character)[0] in _TRIMMED_CATEGORIES for character in edges
    ):
        return False
    return text.isascii() or unicodedata.is_normalized("NFC", text)
