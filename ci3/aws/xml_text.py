"""An answer's XML as text, where a regular expression may read it as a parser would."""

_CONTROLS = bytes({*range(32)} - {*b"\t\n"})
"""What XML 1.0 has no place for, and the carriage return, which a parser makes a line feed.

Source: https://www.w3.org/TR/xml/#charsets and #sec-line-ends
"""
_NEVER_IN_A_TEXT = ("\ufffe", "\uffff", "]]>")


def xml_text(body: bytes) -> str | None:
    """Decode a document, or give None where a parser would refuse or change a character of it."""
    if len(body.translate(None, _CONTROLS)) != len(body):
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if any(one in text for one in _NEVER_IN_A_TEXT) else text
