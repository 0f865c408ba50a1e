"""References to versions of the repository, and which folder names match them.

Matching only ever keeps a deployment; nothing is deleted because of it. A reference to pull request
12 of the branch `feature/login`, whose head is a1b2c3d, matches:

    rule                folders
    by commit           a1b2c3d, web-a1b2c3d4, v1.2.3-2-ga1b2c3d
    by its whole name   pr-12, PR_12, 12, feature-login
    before a commit     pr-12-1111111, feature-login-2222222

The last rule counts only if no folder matches by commit, and then only for the newest complete
deployment: `ci3.core.retention.newest_pins`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from ci3.constants import COMMIT_PREFIX_LENGTH
from ci3.core.live.commit_names import extract_commit, find_commit_parts, matches_commit
from ci3.core.live.preview_names import parse_pull_request

SLUG_CUT_LENGTH: Final = 20
"""The slug of a branch or tag may be cut off after this many characters or more."""

_SEPARATORS: Final = re.compile(r"[^0-9a-z]+")
_NUMBER: Final = re.compile(r"((pr|pull|mr|preview)-?)?0*([0-9]{1,18})")
"""The slug of a name that has a pull request's number, as `pr-12` or `12`."""
_BEFORE_COMMIT: Final = re.compile(
    rf"[^0-9a-z](?=g?[0-9a-f]{{{COMMIT_PREFIX_LENGTH},64}}(?![0-9a-z]))"
)
"""The separator right before a commit, in lower case."""
_LEADING_COMMIT: Final = re.compile(rf"[0-9a-f]{{{COMMIT_PREFIX_LENGTH},64}}(?![0-9a-z])")
_TRAILING_SEPARATORS: Final = re.compile(r"[\W_]+\Z")
_PULL_REQUEST_REF: Final = re.compile(r"(refs/pull/)?([0-9]{1,18})/(merge|head)")
_LIKELY_NUMBER_LIMIT: Final = 1_000_000
"""No repository has so many pull requests; dates without separators are above it."""
_CACHED_NAMES: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is known of a version of the repository: any of the fields may be empty.

    `folder` is a folder's exact name. `commits` have at least 7 hex digits, in lower case: several
    are those of one pull request, such as its head and its merge commit. If it `is_closed`, the
    run's event closes the pull request, so that its previews are not kept by this reference.
    """

    folder: str = ""
    commits: tuple[str, ...] = ()
    pull_request: int | None = None
    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    is_closed: bool = False

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the reference of a text that is a folder's name, a commit, or both.

        A commit may also be followed by something else: `a1b2c3d-canary`, `a1b2c3d.zip`.
        """
        leading = _LEADING_COMMIT.match(text.lower())
        commit = extract_commit(text) or (leading[0] if leading else "")
        return cls(folder=text, commits=(commit,) if commit else ())

    @classmethod
    def from_git_ref(cls, ref: str, commit: str) -> Self:
        """Return the reference of a commit and its Git ref, which may be empty.

        The ref is a full one, such as `refs/heads/main`, or a name of a branch or tag, which counts
        as a branch. It may also be the commit itself.
        """
        commits = tuple(filter(None, [extract_commit(commit)]))
        if pull_request := _PULL_REQUEST_REF.fullmatch(ref):
            return cls(commits=commits, pull_request=int(pull_request[2]))
        if ref.startswith("refs/tags/"):
            return cls(commits=commits, tags=(ref.removeprefix("refs/tags/"),))
        branch = ref.removeprefix("refs/heads/")
        is_commit = bool(commits) and len(branch) >= COMMIT_PREFIX_LENGTH
        if not branch or (is_commit and commits[0].startswith(branch.lower())):
            return cls(commits=commits)
        return cls(commits=commits, branches=(branch,))

    @property
    def can_precede_commit(self) -> bool:
        """True if a name may have the pull request or a branch before a commit."""
        return self.pull_request is not None or bool(self.branches)

    def excludes(self, name: str) -> bool:
        """Return True if a folder's name is that of a preview of the pull request being closed."""
        return self.is_closed and parse_pull_request(name) == self.pull_request

    def split_subjects(self) -> "tuple[Reference, ...]":
        """Return a reference for the pull request, and one for each branch, without commits."""
        pull_request = () if self.pull_request is None else (self.pull_request,)
        return (
            *(Reference(pull_request=number) for number in pull_request),
            *(Reference(branches=(branch,)) for branch in self.branches),
        )

    def is_same_subject(self, other: "Reference") -> bool:
        """Return True if both have a commit or the pull request in common, and no other one."""
        numbers = {self.pull_request, other.pull_request}
        if None not in numbers:
            return len(numbers) == 1
        return not {*self.commits}.isdisjoint(other.commits)

    def combine_with(self, other: "Reference") -> "Reference":
        """Return a reference that has everything of both."""
        return Reference(
            folder=self.folder or other.folder,
            commits=tuple(dict.fromkeys((*self.commits, *other.commits))),
            pull_request=other.pull_request if self.pull_request is None else self.pull_request,
            branches=tuple(dict.fromkeys((*self.branches, *other.branches))),
            tags=tuple(dict.fromkeys((*self.tags, *other.tags))),
        )

    def matches(self, name: str) -> bool:
        """Return True if a folder's name is that of the reference, or has its commit."""
        return bool(self.describe_match(name))

    def matches_exactly(self, name: str) -> bool:
        """Return True if a folder's name matches, but not as a branch or tag that is cut off."""
        slug = _make_slug(name)
        refs = (*self.branches, *self.tags)
        return (
            (bool(self.folder) and name == self.folder)
            or self.has_commit(name)
            or (self.pull_request is not None and _parse_name(name).number == self.pull_request)
            or any(name == ref or (slug and slug == _make_slug(ref)) for ref in refs)
        )

    def has_commit(self, name: str) -> bool:
        """Return True if a folder's name has one of the commits."""
        return bool(self._find_commit(_parse_name(name)))

    def describe_match(self, name: str) -> str:
        """Return by what a folder's name matches, such as `pull request #12`, or ""."""
        if self.folder and name == self.folder:
            return f"folder {name}"
        parsed = _parse_name(name)
        if commit := self._find_commit(parsed):
            return f"commit {commit[:12]}"
        return self._describe_name(parsed, tags=self.tags)

    def describe_before_commit(self, name: str) -> str:
        """Return what a folder's name has before a commit, such as `branch main`, or ""."""
        if not self.can_precede_commit:
            return ""
        heads = [_parse_name(head) for head in _parse_name(name).before_commits]
        return next(filter(None, map(self._describe_name, heads)), "")

    def find_head(self, name: str) -> "Head | None":
        """Return the pull request or branch that a folder's name has before a commit, or None."""
        if not self.can_precede_commit:
            return None
        for head in map(_parse_name, _parse_name(name).before_commits):
            if self._describe_name(head):
                is_number = head.number is not None and head.number == self.pull_request
                is_branch = any(
                    head.name == branch or head.slug == _make_slug(branch)
                    for branch in self.branches
                )
                is_cut_off = not is_number and not is_branch
                return Head(text=head.slug or head.name, is_cut_off=is_cut_off)
        return None

    def could_match(self, name: str) -> bool:
        """Return True if a folder's name has a form in which the reference could be written.

        That is a commit or a pull request's number, but not a date or another long number. The name
        of a branch or tag has no form: any other name could be one.
        """
        parsed = _parse_name(name)
        if self.commits and any(extract_commit(part) for part in parsed.likely_commits):
            return True
        numbers = (_parse_name(text).number for text in (name, *parsed.before_commits))
        return self.pull_request is not None and any(
            number is not None and number < _LIKELY_NUMBER_LIMIT for number in numbers
        )

    def __str__(self) -> str:
        """Return what is known, for messages: `commit ab12cd3, pull request #12 or branch main`."""
        texts = [
            *([f"folder {self.folder}"] if self.folder and not self.commits else []),
            *(f"commit {commit[:12]}" for commit in self.commits),
            *([] if self.pull_request is None else [f"pull request #{self.pull_request}"]),
            *(f"branch {branch}" for branch in self.branches),
            *(f"tag {tag}" for tag in self.tags),
        ]
        return " or ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))

    def _find_commit(self, parsed: "_ParsedName") -> str:
        for commit in self.commits if parsed.commit_parts else ():
            if matches_commit(parsed.commit_parts, commit):
                return commit
        return ""

    def _describe_name(self, parsed: "_ParsedName", tags: tuple[str, ...] = ()) -> str:
        """Return which of the number, branches and tags all of a name is."""
        if parsed.number is not None and parsed.number == self.pull_request:
            return f"pull request #{self.pull_request}"
        for noun, refs in (("branch", self.branches), ("tag", tags)):
            for ref in refs:
                if parsed.name == ref or _is_slug(parsed.slug, ref):
                    return f"{noun} {ref}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a name has before a commit: as a slug, or as it is if it has no letter or digit.

    If it `is_cut_off`, other branches may have the same beginning.
    """

    text: str
    is_cut_off: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _ParsedName:
    """A name, prepared for many comparisons.

    `number` is the pull request's number that all of the name is. `before_commits` are what the
    name has before each of its commits.
    """

    name: str
    slug: str
    number: int | None
    commit_parts: tuple[str, ...]
    before_commits: tuple[str, ...]

    @property
    def likely_commits(self) -> Iterator[str]:
        """The parts that begin like a commit and are not a date or another decimal number."""
        return (part for part in self.commit_parts if not part.isdecimal())


@lru_cache(maxsize=_CACHED_NAMES)
def _parse_name(name: str) -> _ParsedName:
    slug = _make_slug(name)
    number = _NUMBER.fullmatch(slug)
    lowered = name.lower()
    # Lower case may have another length outside ASCII: the text before is then cut from that.
    original = name if len(name) == len(lowered) else lowered
    heads = [original[: match.start()] for match in _BEFORE_COMMIT.finditer(lowered)]
    # Both `main--a1b2c3d` and, of a branch named `_`, `_-a1b2c3d`.
    trimmed = [_TRAILING_SEPARATORS.sub("", head) for head in heads]
    return _ParsedName(
        name=name,
        slug=slug,
        number=int(number[3]) if number else None,
        commit_parts=find_commit_parts(name),
        before_commits=tuple(head for head in dict.fromkeys((*heads, *trimmed)) if head),
    )


@lru_cache(maxsize=_CACHED_NAMES)
def _make_slug(text: str) -> str:
    """Return a text in lower case, with one `-` for each run of other characters than a-z, 0-9."""
    return _SEPARATORS.sub("-", text.lower()).strip("-")


def _is_slug(slug: str, ref: str) -> bool:
    """Return True if a slug is that of a branch or tag, or was cut off from it.

    Cut off, it has `SLUG_CUT_LENGTH` characters or more, or one less if the last was a separator:

        slug                    ref                             result
        feature-login           feature/login                   True
        feature-login-page-w    feature/login-page-with-sso     True: 20 characters
        feature-login           feature/login-page-with-sso     False
        feature-of-the-year     feature/of/the_year/2026        True: the character after is cut off
    """
    ref_slug = _make_slug(ref)
    if not ref_slug or not ref_slug.startswith(slug):
        return False
    return len(slug) >= len(ref_slug[:SLUG_CUT_LENGTH].rstrip("-"))
