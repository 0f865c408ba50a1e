"""Names of previews, which have the number of a pull request."""

import re
from typing import Final

_PREVIEW: Final = re.compile(
    r"(?:pr|pull|preview)[-_]?([1-9][0-9]{0,5})"
    r"(?:[-_](?!20[0-9]{6})(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,40})?",
    re.ASCII | re.IGNORECASE,
)


def parse_pull_request(name: str) -> int | None:
    """Return the number of the pull request that a preview is named by, or None.

    A commit may follow it: 7 to 40 hexadecimal digits, among them a letter and a decimal digit,
    that do not begin like a date. With any other text, it is not certain whose number it is.

    | name                                   | result |
    |----------------------------------------|--------|
    | `pr-12`, `PR_12`, `pull12`, `preview-12` | 12   |
    | `pr-12-a1b2c3d`                        | 12     |
    | `12`, `a1b2c3d`, `v12`, `build-12`     | None   |
    | `pr-12-3`, `pr-12-20261130a`           | None   |
    | `pr-12-docs`, `preview-2-columns`      | None   |
    | `pr-012`, `pr-0`, `pr-1000000`         | None   |
    """
    match = _PREVIEW.fullmatch(name)
    return int(match[1]) if match else None
