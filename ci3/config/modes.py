"""The choices of the settings `mode` and `comment`."""

from enum import StrEnum


class Mode(StrEnum):
    """The operation that the action performs."""

    PLAN = "plan"
    APPLY = "apply"
    RESTORE = "restore"
    DOCTOR = "doctor"


class CommentPolicy(StrEnum):
    """The conditions for writing a comment on the pull request."""

    ALWAYS = "always"
    CHANGES = "changes"
    NEVER = "never"
