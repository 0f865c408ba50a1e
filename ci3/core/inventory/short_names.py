"""Short forms of names that end in a commit hash, for tables."""

import re
from collections.abc import Iterable, Mapping
from itertools import takewhile

from ci3.constants import COMMIT_PREFIX_LENGTH

_MAX_HASH_LENGTH = 12
_WORD = re.compile(r"[^\s,;()]{13,}")
_FINAL_HASH = re.compile(r"(?:^|[^0-9A-Za-z])g?(?P<hash>[0-9a-f]{13,64})\Z")


def shorten_names(names: Iterable[str]) -> dict[str, str]:
    """Return a short form of each name: the hash at its end is cut to its first 7 to 12 digits.

    Only the name itself begins with its short form, so that commands accept it. A name without a
    hash at its end stays whole, and so does one whose first 12 digits are not unique:

    | name                                       | short form      |
    |--------------------------------------------|-----------------|
    | `5d2f8ab019c3d4e5f60718293a4b5c6d7e8f9012` | `5d2f8ab`       |
    | `pr-12-5d2f8ab019c3d4e5f6071829`           | `pr-12-5d2f8ab` |
    | `release-2.4`                              | `release-2.4`   |
    """
    ordered = sorted(set(names))
    neighbors = zip(["", *ordered], ordered, [*ordered[1:], ""], strict=False)
    return {
        name: _shorten(name, max(_count_shared(name, before), _count_shared(name, after)))
        for before, name, after in neighbors
    }


def shorten_text(text: str, names: Mapping[str, str]) -> str:
    """Return a text with the short forms of the names in it; `names` is from `shorten_names`."""
    return _WORD.sub(lambda match: names.get(match[0], match[0]), text)


def _shorten(name: str, shared_length: int) -> str:
    """Return the short form of a name that shares its beginning with another name."""
    match = _FINAL_HASH.search(name)
    if match is None:
        return name
    length = max(match.start("hash") + COMMIT_PREFIX_LENGTH, shared_length + 1)
    return name[:length] if length <= match.start("hash") + _MAX_HASH_LENGTH else name


def _count_shared(first: str, second: str) -> int:
    pairs = zip(first, second, strict=False)
    return len([*takewhile(lambda pair: pair[0] == pair[1], pairs)])
