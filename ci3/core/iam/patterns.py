"""Keys and globs as IAM's patterns write them.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from dataclasses import dataclass
from typing import Final

_SPECIAL: Final = re.compile(r"[*?$]")
_GLOB_PART: Final = re.compile(r"\[(?P<set>!?+\]?+[^\]]*+)\]|(?P<one>.)", re.DOTALL)
"""Sets as fnmatch reads them: a bracket that is not closed stands for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IamPattern:
    """A glob as IAM says it.

    `is_wider` where it holds more than the glob, `reaches_deeper` where a `*` of it can pass a
    slash into other folders.
    """

    text: str
    is_wider: bool = False
    reaches_deeper: bool = False


def literal(text: str) -> str:
    """Write a text so that IAM takes each character of it as it is."""
    return _SPECIAL.sub(lambda found: f"${{{found[0]}}}", text)


def of_glob(glob: str) -> IamPattern:
    """Write a glob of folder names as IAM's pattern, which holds all that the glob does."""
    text, is_wider = "", False
    for found in _GLOB_PART.finditer(glob):
        of_set, one = found["set"], found["one"]
        if of_set is None:
            text += one if one in "*?" else literal(one)
        elif len(of_set) == 1:
            text += literal(of_set)
        else:
            text += "?"
            is_wider = True
    begun = text.replace("${*}", "").partition("*")
    return IamPattern(text=text, is_wider=is_wider, reaches_deeper=bool(begun[2].strip("*")))
