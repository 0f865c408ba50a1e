"""Numbers in deployment names: which names can be ordered by them, and which numbers they have."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ci3.constants import COMMIT_PREFIX_LENGTH
from ci3.core.inventory.name_numbers import (
    NamePart,
    PartKind,
    has_unordered_date,
    is_date,
    is_number,
    split_name,
    split_numbers,
    split_words,
    starts_with_date,
)

_HEX: Final = re.compile(r"[0-9a-f]{4,64}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]+")
_LETTERS: Final = re.compile(r"[a-z]+")
_PULL_REQUEST_DIGITS: Final = 7
"""More digits than this are a date or time, not the number of a pull request."""

_WORK_WORDS: Final = frozenset((
    "branch", "bug", "bugfix", "change", "feat", "feature", "fix", "gh", "hotfix", "issue",
    "issues", "jira", "merge", "mr", "pr", "preview", "previews", "pull", "pullrequest",
    "pulls", "request", "review", "story", "task", "ticket"
))  # fmt: skip
"""Words before a number that identifies a piece of work: a later one may be uploaded earlier."""


_SEQUENCE_WORDS: Final = frozenset((
    "b", "bld", "build", "builds", "ci", "deploy", "deployment", "job", "nightly", "pipeline", "r",
    "rc", "rel", "release", "releases", "rev", "revision", "run", "snapshot", "v", "ver", "version"
))  # fmt: skip
"""Words before the number of a build or version: a higher one is always uploaded later."""


class NumberedName(NamedTuple):
    """A name's text with `#` for each number and `@` for each commit hash, and the numbers.

    `build-95` has the text `build-#` and the numbers (95,); `20261123-f1c0ffee` has `#-@` and
    (20261123,).
    """

    text: str
    numbers: tuple[int, ...]
    has_commit: bool = False

    @property
    def is_sequence(self) -> bool:
        """True if the name is clearly that of a build, version or date.

        Another number may identify anything: `web-1` and `web-2` may be two servers.
        """
        words = _LETTERS.findall(self.text.partition("#")[0].lower())
        has_word = not words or words[-1] in _SEQUENCE_WORDS
        return has_word or len(self.numbers) > 1 or starts_with_date(str(self.numbers[0]))

    @property
    def may_be_pull_request(self) -> bool:
        """True if the name is a number that may be that of a pull request."""
        return self.text == "#" and len(str(self.numbers[0])) <= _PULL_REQUEST_DIGITS

    def may_be_updated(self) -> bool:
        """Return True if the name may be that of a branch or pull request.

        Such a folder is uploaded to again, unlike that of a commit, version or date.
        """
        numbers = _NUMBER.findall(self.text.replace("#", "0"))
        has_date = any(is_date(str(number)) for number in self.numbers)
        return not self.has_commit and not has_date and len(numbers) <= 1


def parse_names(
    names: Iterable[str], *, are_pull_requests: bool = False
) -> dict[str, NumberedName]:
    """Return the text and the numbers of each name; names with the same text can be compared.

    The number of a pull request, branch or issue is part of the text, because pushes to an earlier
    one may follow a later one. That includes bare numbers if `are_pull_requests`. A name with a
    date that is not written year first has no numbers, and a decimal number is taken for a commit
    if another name has a hash of the same length, or of at least 7 digits, in its place:

        name                 other names          text            numbers
        v1.10.0                                   v#.#.#          1, 10, 0
        build-104-ab12cd3                         build-#-@       104
        2026-11-23                                #-#-#           2026, 11, 23
        23-11-2026                                23-11-2026      (none)
        pr-12-build-3                             pr-12-build-#   3
        1234567              ab12cd3              @               (none)
    """
    parts_by_name = {name: tuple(split_name(name)) for name in names}
    hash_lengths: dict[tuple[str, int], set[int]] = {}
    for name in parts_by_name:
        for position, length in _find_hashes(name):
            hash_lengths.setdefault(position, set()).add(length)
    return {
        name: _build(name, parts, hash_lengths, are_pull_requests=are_pull_requests)
        for name, parts in parts_by_name.items()
    }


def _find_hashes(name: str) -> Iterator[tuple[tuple[str, int], int]]:
    """Yield the position of each hash that has a letter, as shape and index, and its length."""
    if _is_hash(name):
        yield ("#", 0), len(name)
        return
    words = split_words(name)
    if not any(map(_is_hash, words)):
        return
    runs = [run for word in words for run in ([word] if _is_hash(word) else split_numbers(word))]
    shape = "".join("#" if is_number(run) or _is_hash(run) else run for run in runs).lower()
    placeholders = [run for run in runs if is_number(run) or _is_hash(run)]
    for index, run in enumerate(placeholders):
        if _is_hash(run):
            yield (shape, index), len(run)


def _build(
    name: str,
    parts: Sequence[NamePart],
    hash_lengths: Mapping[tuple[str, int], set[int]],
    *,
    are_pull_requests: bool,
) -> NumberedName:
    shape = "".join(part.text if part.kind is PartKind.TEXT else "#" for part in parts).lower()
    text, numbers, index, has_commit, last_word = "", list[int](), 0, False, ""
    for part in parts:
        if part.kind is PartKind.TEXT:
            text += part.text
            last_word = ([last_word, *_LETTERS.findall(part.text.lower())])[-1]
            continue
        can_be_work = part.kind is PartKind.NUMBER and index == 0 and not is_date(part.text)
        is_pull_request = are_pull_requests and part.text == name
        is_of_work = can_be_work and (is_pull_request or last_word in _WORK_WORDS)
        is_hash = not is_of_work and _may_be_hash(part, hash_lengths.get((shape, index), ()))
        index += 1
        if is_hash:
            text += "@"
            has_commit = True
        elif is_of_work:
            text += part.text
        else:
            text += "#"
            numbers.append(int(part.text))
    if numbers and has_unordered_date(parts):
        return NumberedName(text=name, numbers=(), has_commit=has_commit)
    return NumberedName(text=text, numbers=tuple(numbers), has_commit=has_commit)


def _is_hash(word: str) -> bool:
    return _HEX.fullmatch(word) is not None and not word.isdecimal()


def _may_be_hash(part: NamePart, hash_lengths: Iterable[int]) -> bool:
    """Return True for a commit, and if a number may be one of these lengths without a letter."""
    if part.kind is PartKind.COMMIT:
        return True
    length = len(part.text)
    if not part.is_word or is_date(part.text):
        return False
    return any(
        length == hash_length or min(length, hash_length) >= COMMIT_PREFIX_LENGTH
        for hash_length in hash_lengths
    )
