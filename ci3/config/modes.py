"""The choices of the settings `mode`, `comment` and `issue`."""

from enum import StrEnum


class Mode(StrEnum):
    """The operation that the action performs."""

    PLAN = "plan"
    APPLY = "apply"
    RESTORE = "restore"
    DOCTOR = "doctor"


class PostPolicy(StrEnum):
    """When to comment on the pull request, or to keep an issue open."""

    ALWAYS = "always"
    CHANGES = "changes"
    NEVER = "never"
