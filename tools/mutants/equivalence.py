"""The list of mutants that change no behavior that matters, each with the reason."""

from collections.abc import Iterator
from pathlib import Path

EQUIVALENT_MUTANTS = Path(__file__).with_name("equivalent.txt")

_Key = tuple[str, str, str, str]


def read_equivalent_mutants(text: str) -> frozenset[_Key]:
    """Return the keys of the listed mutants; raise ValueError for an entry without a reason.

    An entry has the module and function, then changed lines, then the reason:

        ci3/core/retention/decide.py _newest_of
        - return "the newest" if position == 0 else ...
        + return "the newest" if position == 1 else ...
        Why no caller can see a difference.

    Each line with `+` belongs to the nearest line with `-` above it. Lines with `#` are comments.
    """
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    entries = "\n".join(lines).split("\n\n")
    return frozenset(key for entry in entries if entry.strip() for key in _read_entry(entry))


def _read_entry(entry: str) -> Iterator[_Key]:
    heading, *lines = entry.strip().splitlines()
    path, function = heading.split(" ")
    before = reason = ""
    for line in lines:
        if line.startswith("-"):
            before = line[1:].strip()
        elif line.startswith("+"):
            yield path, function, before, line[1:].strip()
        else:
            reason = line
    if not reason:
        raise ValueError(f"the entry for {heading} gives no reason")
