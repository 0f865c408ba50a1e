"""Numbers in deployment names: which names can be ordered by them, and which numbers they have."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from ci3.constants import COMMIT_PREFIX_LENGTH

_WORDS: Final = re.compile(r"[0-9a-z]+|[^0-9a-z]+")
_RUNS: Final = re.compile(r"[0-9]+|[^0-9]+")
_HEX: Final = re.compile(r"[0-9a-f]{4,64}")
_DESCRIBED_COMMIT: Final = re.compile(rf"g[0-9a-f]{{{COMMIT_PREFIX_LENGTH},64}}")
_NUMBER: Final = re.compile(r"[0-9]+")
_LETTERS: Final = re.compile(r"[a-z]+")
_DAY_FIRST_DATE: Final = re.compile(
    r"(?<![0-9])(?:[0-9]{4}|[0-9]{1,2}([-._])[0-9]{1,2}\1)(?:19|20)[0-9]{2}(?![0-9])"
)
_MONTH: Final = re.compile(r"(?<![a-z])(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*")
_DATE: Final = re.compile(r"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
_FIRST_YEAR: Final = 1900
_MIN_HASH_DIGITS: Final = 20
"""A number with so many digits is a hash: a time in nanoseconds has 19."""

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
        words = _LETTERS.findall(self.text.partition("#")[0])
        has_word = not words or words[-1] in _SEQUENCE_WORDS
        return has_word or len(self.numbers) > 1 or _DATE.match(str(self.numbers[0])) is not None

    def may_be_updated(self) -> bool:
        """Return True if the name may be that of a branch or pull request.

        Such a folder is uploaded to again, unlike that of a commit, version or date.
        """
        numbers = _NUMBER.findall(self.text.replace("#", "0"))
        has_date = any(_DATE.fullmatch(str(number)) for number in self.numbers)
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
    parts_by_name = {
        name: tuple(_split(name.lower(), are_pull_requests=are_pull_requests)) for name in names
    }
    hash_lengths: dict[tuple[str, int], set[int]] = {}
    for name in parts_by_name:
        for place, length in _find_hashes(name.lower()):
            hash_lengths.setdefault(place, set()).add(length)
    return {name: _build(name, parts, hash_lengths) for name, parts in parts_by_name.items()}


class _Kind(Enum):
    TEXT = auto()
    NUMBER = auto()
    WORK_NUMBER = auto()
    """The number of a pull request, branch or issue."""
    COMMIT = auto()


class _Part(NamedTuple):
    text: str
    kind: _Kind
    is_word: bool = False
    """True if no letter precedes or follows it: a number may be a part of a hash otherwise."""


def _split(lowered: str, *, are_pull_requests: bool) -> Iterator[_Part]:
    if _is_hash(lowered) and len(lowered) >= COMMIT_PREFIX_LENGTH:
        yield _Part(text=lowered, kind=_Kind.COMMIT)  # most names, and much faster
        return
    has_number, last_word = False, ""
    for word in _WORDS.findall(lowered):
        is_long = len(word) >= (COMMIT_PREFIX_LENGTH if _is_hash(word) else _MIN_HASH_DIGITS)
        if (is_long and _HEX.fullmatch(word)) or _DESCRIBED_COMMIT.fullmatch(word):
            yield _Part(text=word, kind=_Kind.COMMIT)
            has_number = True
            continue
        for run in _RUNS.findall(word):
            kind = _Kind.NUMBER if _is_number(run) else _Kind.TEXT
            if kind is _Kind.NUMBER and not has_number and _DATE.fullmatch(run) is None:
                is_of_work = last_word in _WORK_WORDS or (are_pull_requests and run == lowered)
                kind = _Kind.WORK_NUMBER if is_of_work else kind
            has_number = has_number or kind is not _Kind.TEXT
            last_word = ([last_word, *_LETTERS.findall(run)])[-1]
            yield _Part(text=run, kind=kind, is_word=run == word)


def _find_hashes(lowered: str) -> Iterator[tuple[tuple[str, int], int]]:
    """Yield the place of each hash that has a letter, as shape and index, and its length."""
    if _is_hash(lowered):
        yield ("#", 0), len(lowered)
        return
    words = _WORDS.findall(lowered)
    if not any(map(_is_hash, words)):
        return
    runs = [run for word in words for run in ([word] if _is_hash(word) else _RUNS.findall(word))]
    shape = "".join("#" if _is_number(run) or _is_hash(run) else run for run in runs)
    placeholders = [run for run in runs if _is_number(run) or _is_hash(run)]
    for index, run in enumerate(placeholders):
        if _is_hash(run):
            yield (shape, index), len(run)


def _build(
    name: str, parts: Sequence[_Part], hash_lengths: Mapping[tuple[str, int], set[int]]
) -> NumberedName:
    shape = "".join(part.text if part.kind is _Kind.TEXT else "#" for part in parts)
    text, numbers, index, has_commit = "", list[int](), 0, False
    for part in parts:
        lengths = hash_lengths.get((shape, index), ())
        index += part.kind is not _Kind.TEXT
        if part.kind is _Kind.COMMIT or _may_be_hash(part, lengths):
            text += "@"
            has_commit = True
        elif part.kind is _Kind.NUMBER:
            text += "#"
            numbers.append(int(part.text))
        else:
            text += part.text
    if numbers and _has_ambiguous_date(name.lower(), numbers[0]):
        return NumberedName(text=name, numbers=(), has_commit=has_commit)
    return NumberedName(text=text, numbers=tuple(numbers), has_commit=has_commit)


def _is_number(run: str) -> bool:
    return run[0] in "0123456789" and run.isdecimal()


def _is_hash(word: str) -> bool:
    return _HEX.fullmatch(word) is not None and not word.isdecimal()


def _may_be_hash(part: _Part, hash_lengths: Iterable[int]) -> bool:
    """Return True if a number may be a hash without letters, of one of the lengths."""
    length = len(part.text)
    if part.kind is not _Kind.NUMBER or not part.is_word or _DATE.fullmatch(part.text):
        return False
    return any(
        length == hash_length or min(length, hash_length) >= COMMIT_PREFIX_LENGTH
        for hash_length in hash_lengths
    )


def _has_ambiguous_date(lowered: str, first_number: int) -> bool:
    """Return True if a name has a date that is not written year first."""
    if _DAY_FIRST_DATE.search(lowered):
        return True
    return first_number < _FIRST_YEAR and _MONTH.search(lowered) is not None
