"""Formats the table of references and the folder names that match them."""

from collections.abc import Iterable
from typing import Final

from ci3.core.live.references import Reference
from tools.docs.markdown_tables import format_table

_COMMIT: Final = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
_LONG_BRANCH: Final = "feature/login-page-with-sso"

SAMPLES: Final = (
    (
        f"commit `{_COMMIT[:12]}…`",
        Reference(commits=(_COMMIT,)),
        ("a1b2c3d", "A1B2C3D4E5F6", "web-a1b2c3d", "20261123_a1b2c3d4e", "v1.2.3-2-ga1b2c3d",
         "a1b2c3", "xa1b2c3d"),
    ),
    (
        "pull request #12",
        Reference(pull_request=12),
        ("pr-12", "PR_12", "pr12", "pull-12", "mr-12", "preview-12", "12", "pr-12-1111111",
         "12-1111111", "pr-120", "pr-12-web", "web-pr-12"),
    ),
    (
        "branch `main`",
        Reference(branches=("main",)),
        ("main", "Main", "main-1111111", "main_g1111111", "main-2", "web-main-1111111"),
    ),
    (
        "branch `feature/login`",
        Reference(branches=("feature/login",)),
        ("feature-login", "feature_login", "Feature.Login", "feature-login-1111111", "feature",
         "feature-login-page"),
    ),
    (
        f"branch `{_LONG_BRANCH}`",
        Reference(branches=(_LONG_BRANCH,)),
        ("feature-login-page-with-sso", "feature-login-page-w", "feature-login-page-w-1111111",
         "feature-login-page"),
    ),
    (
        "tag `v1.2.0`",
        Reference(tags=("v1.2.0",)),
        ("v1.2.0", "v1-2-0", "V1.2.0", "v1.2.0-1111111", "v1.2.01"),
    ),
    (
        "text `v1.2.3-2-ga1b2c3d` of a pointer",
        Reference.from_text("v1.2.3-2-ga1b2c3d"),
        ("v1.2.3-2-ga1b2c3d", "a1b2c3d", "web-a1b2c3d4e", "v1.2.3"),
    ),
    (
        "text `release-1` of a pointer",
        Reference.from_text("release-1"),
        ("release-1", "Release-1", "release-10"),
    ),
)  # fmt: skip
"""References with the text that the table has for each, and names to compare with it."""


def format_references_table() -> str:
    """Return the table of references: which of the sample names match, and which do not."""
    rows = []
    for text, reference, names in SAMPLES:
        matching = [name for name in names if reference.matches(name)]
        newest = [name for name in names if reference.describe_before_commit(name)]
        not_matching = [name for name in names if name not in (*matching, *newest)]
        rows.append((text, *map(_join_names, (matching, newest, not_matching))))
    head = ("reference", "matches", "if its commit is not deployed, the newest", "does not match")
    return format_table(head, rows)


def _join_names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"
