"""Forms of folder names: commit, `git describe`, pull request, branch, number, asset folder.

They are guesses about names that nobody explained: use them to keep and to warn, never to delete.
"""

import re
from typing import Final

from ci3.constants import COMMIT_PREFIX_LENGTH

_SEPARATOR = re.compile(r"[^0-9A-Za-z]+")
_COMMIT_WORD = re.compile(
    rf"(?=[0-9]*[a-f])[0-9a-f]{{{COMMIT_PREFIX_LENGTH},64}}|[0-9]{{40}}|[0-9]{{64}}"
    rf"|g[0-9a-f]{{{COMMIT_PREFIX_LENGTH},64}}",
    re.IGNORECASE,
)
_COMMIT = re.compile(
    # 24 digits are an object ID of MongoDB, 32 digits an MD5 digest or a UUID.
    r"(?=[0-9]*[a-f])(?:[0-9a-f]{7,23}|[0-9a-f]{25,31}|[0-9a-f]{33,39})|[0-9a-f]{40}|[0-9a-f]{64}"
)
_DECIMAL_COMMIT = re.compile(r"[0-9]{7}")
"""A commit in git's default length that has no letter, as 1 of 27 commits."""
_DESCRIBED = re.compile(r".+-[0-9]+-g[0-9a-f]{4,40}(?:-dirty)?")
_PULL_REQUEST = re.compile(
    r"(?:pr|mr|pull|merge|preview)(?:[-_.]?request)?[-_.]?[0-9]+(?:[-_.].+)?", re.IGNORECASE
)
_BRANCH_WORDS: Final = (
    "main|master|trunk|mainline|dev|devel|develop|development|next|edge|canary|nightly|integration|"
    "int|test|testing|qa|uat|stage|staging|preprod|prod|production|live|release|gh-pages"
)
_BRANCH_PREFIXES: Final = (
    "feature|features|feat|fix|bugfix|bug|hotfix|release|releases|chore|refactor|perf|spike|issue|"
    "task|dependabot|renovate|revert|experiment|wip|topic"
)
_BRANCH = re.compile(
    f"(?:{_BRANCH_WORDS})|(?:main|master|develop|{_BRANCH_PREFIXES})[-_.+].+",
    re.IGNORECASE | re.DOTALL,
)
_BRANCH_COMMIT = re.compile(
    rf"(?:{_BRANCH_WORDS}|[0-9]{{8}}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[-_.]"
)
_DIGIT = re.compile("[0-9]")
_VERSION = re.compile(
    # Atomic: a part that fits two alternatives must not be tried both ways for each later part.
    r"[0-9]+[a-z]{0,6}[0-9]*"
    r"(?>[-._+](?:[a-z]{0,8}[0-9]+[a-z]?|rc|alpha|beta|pre|preview|dev|snapshot|final|lts|hotfix|"
    r"canary|nightly|g?[0-9a-f]{4,40}|dirty)(?![0-9a-z]))*",
    re.IGNORECASE,
)
_ASSET_WORDS: Final = re.compile(
    "assets?|static|chunks?|bundles?|js|css|scripts|styles|img|images?|icons|fonts?|media|audio|"
    "videos?|files?|uploads?|cache|objects|blobs?|vendor|thumbnails|avatars|attachments|photos|data"
)
_BUILD_OUTPUTS: Final = frozenset({"build", "dist", "node_modules", "out", "public"})


def has_commit(name: str) -> bool:
    """Return True if a part of the name is a commit hash, or `g` and one, as in `git describe`.

    A part of digits only may be a date or a number, unless it has the length of a full hash.
    """
    return any(map(is_commit_word, _SEPARATOR.split(name)))


def is_commit_word(word: str) -> bool:
    """Return True if all of a text is a commit hash of 7 to 64 digits, or `g` and one.

    Digits without a letter are none, except after `g` or as a full hash of 40 or 64 digits.
    """
    return _COMMIT_WORD.fullmatch(word) is not None


def find_number_prefix(name: str) -> str | None:
    """Return the text before the number or version that ends a name, or None if nothing does.

    The `v` of a version does not count:

        build-95, build-95-hotfix              build-
        v1.2.3, 1.2.3-rc1, v1.2.3-2-g2222222   (empty)
        3d-models, assets                      None
    """
    start = _DIGIT.search(name)
    if start is None or not _VERSION.fullmatch(name, start.start()):
        return None
    return name[: start.start()].removesuffix("v")


def is_pull_request(name: str) -> bool:
    """Return True if the name begins with a pull-request number: `pr-12`, `preview-12-ab12cd3`."""
    return _PULL_REQUEST.fullmatch(name) is not None


def is_branch(name: str) -> bool:
    """Return True if the name is that of a usual branch: `main`, `feature-login`."""
    return _BRANCH.fullmatch(name) is not None


def is_asset_folder(name: str) -> bool:
    """Return True if folders of this name usually hold files that are named by their content.

    The last word without digits counts: `assets`, `user-uploads`, `static-2`, `assets-9c41e07`, but
    not `static-site`. Folders of build tools and hidden ones begin with `_` or a dot: `_next`,
    `.cache`.
    """
    if name.startswith(("_", ".")):
        return True
    words = [word for word in re.split("[-_]", name.lower()) if not _DIGIT.search(word)]
    return bool(words) and _ASSET_WORDS.fullmatch(words[-1]) is not None


def is_build_output(name: str) -> bool:
    """Return True if a sub-folder of this name usually has files that a build tool named."""
    return name in _BUILD_OUTPUTS


def is_deployment_form(name: str) -> bool:
    """Return True if a sub-folder's name is a commit, from `git describe`, or a pull request.

    9c41e07, full hash         True
    v1.2.3-2-g2222222          True
    pr-12, pr-12-9c41e07       True
    main-9c41e07               True, and with a date in front of the commit
    9C41E07                    True; `9C41e07` is not
    1234567                    False: see `is_decimal_commit`
    20261123, 12, v1.2, about  False
    UUID, MD5, object ID       False
    """
    commit = name.lower() if name.isupper() else name
    if _COMMIT.fullmatch(commit) or _PULL_REQUEST.fullmatch(name):
        return True
    if "-g" in name and _DESCRIBED.fullmatch(name):
        return True
    prefix = _BRANCH_COMMIT.match(name)
    return prefix is not None and _COMMIT.fullmatch(name, prefix.end()) is not None


def is_decimal_commit(name: str) -> bool:
    """Return True if the name may be a commit of seven digits without a letter, or an ID."""
    return _DECIMAL_COMMIT.fullmatch(name) is not None
