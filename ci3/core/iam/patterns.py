"""IAM patterns for keys and globs.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from dataclasses import dataclass
from typing import Final

_SPECIAL: Final = re.compile(r"[*?$]")
_GLOB_PART: Final = re.compile(r"\[(?P<set>!?+\]?+[^\]]*+)\]|(?P<character>.)", re.DOTALL)
"""A set as fnmatch reads it, or one character; an unclosed bracket is a plain character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IamPattern:
    """A glob translated to an IAM pattern.

    `is_wider` is True if it matches more than the glob, `reaches_deeper` if one of its `*` can
    match a slash, and so names inside other folders.

    | glob        | text        | is_wider | reaches_deeper |
    |-------------|-------------|----------|----------------|
    | `release-*` | `release-*` | no       | no             |
    | `*-keep`    | `*-keep`    | no       | yes            |
    | `v[12]`     | `v?`        | yes      | no             |
    | `v[1]`      | `v1`        | no       | no             |
    | `[*]x`      | `${*}x`     | no       | no             |
    """

    text: str
    is_wider: bool = False
    reaches_deeper: bool = False


def escape_literal(text: str) -> str:
    """Escape a text so that an IAM pattern matches exactly it: `a*b` becomes `a${*}b`."""
    return _SPECIAL.sub(lambda match: f"${{{match[0]}}}", text)


def translate_glob(glob: str) -> IamPattern:
    """Translate a glob of folder names to an IAM pattern that matches at least what it matches."""
    text, is_wider = "", False
    for match in _GLOB_PART.finditer(glob):
        characters, character = match["set"], match["character"]
        if characters is None:
            text += character if character in "*?" else escape_literal(character)
        elif len(characters) == 1:
            text += escape_literal(characters)
        else:
            text += "?"
            is_wider = True
    _, _, after_star = text.replace("${*}", "").partition("*")
    return IamPattern(text=text, is_wider=is_wider, reaches_deeper=bool(after_star.strip("*")))
