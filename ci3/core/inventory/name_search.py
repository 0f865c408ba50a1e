"""Find the name that a user means by a deployment's name, or by the beginning of one."""

import re
from collections.abc import Collection

_HEX = re.compile(r"[0-9A-Fa-f]+")


def list_spellings(text: str) -> tuple[str, ...]:
    """Return how a name may begin, the most likely first: as typed, or another case of hex digits.

    `AB12` may be the beginning of a commit, which Git prints in lower case: `AB12`, `ab12`. Other
    texts have one spelling: S3 distinguishes case.
    """
    if not _HEX.fullmatch(text):
        return (text,)
    return tuple(dict.fromkeys((text, text.lower(), text.upper())))


def find_candidates(
    text: str, names: Collection[str], preferred: Collection[str]
) -> tuple[str, ...]:
    """Return the names that the text may mean, sorted; one if it is unique, none if there is none.

    A name that equals the text is the only candidate. Otherwise these are the names that begin with
    the text, and only the preferred ones if there are any:

    | text   | names                   | preferred    | candidates       |
    |--------|-------------------------|--------------|------------------|
    | `ab12` | `ab12`, `ab12cd`        | any          | `ab12`           |
    | `ab1`  | `ab12`, `ab12cd`        | all          | `ab12`, `ab12cd` |
    | `ab1`  | `ab12cd`, `ab1-assets`  | `ab12cd`     | `ab12cd`         |
    """
    if text in names:
        return (text,)
    candidates = {name for name in names if name.startswith(text)}
    return tuple(sorted(candidates.intersection(preferred) or candidates))
