"""All errors that ci3 raises on purpose, each with a message, a hint and an exit code."""

import difflib
import re
from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar, Final


class ExitCode(IntEnum):
    """The exit status of the process."""

    DONE = 0
    BUG = 1
    USAGE = 2
    PARTIAL = 3
    REFUSED = 4
    STALE_PLAN = 5
    ACCESS = 6
    WOULD_DELETE = 10
    """Only with `--detailed-exitcode`: the plan may be applied and would delete something."""
    INTERRUPTED = 130
    """128 + SIGINT, as shells report an interrupted program; nothing had been deleted."""
    BROKEN_PIPE = 141
    """128 + SIGPIPE, as shells report a program whose reader has closed the pipe.

    Nothing was done after the failed write.
    """


JOURNAL_HINT: Final = "If anything was deleted, the journal lists it."
"""Hint of an error that ended an apply."""

_OPENING_WORD = re.compile(
    "(a|an|cannot|deleting|deployment|folder|folders|interrupted|it|listing|more|no|object|option|"
    "reading|request|run|stdout|target|the|this|versioning|versions|writing) "
)
"""A word that begins messages and is no name: neither of a setting nor of anything in a bucket."""

_USER_INFO = re.compile(r"""((?:https?|socks[0-9a-z]*)://)[^\s"'<>]*@""", re.IGNORECASE)
_QUERY = re.compile(r"""(https?://[^\s"'<>?]*\?)[^\s"'<>]*""", re.IGNORECASE)


def redact_secrets(text: str) -> str:
    """Return a text of errors without the user names, passwords and queries of its URLs.

    `http://user:p/ss@host/a?token=1` becomes `http://***@host/a?***`. Everything up to the last
    `@` is left out: a password may contain any character.
    """
    return _QUERY.sub(r"\1***", _USER_INFO.sub(r"\1***@", text)) if "://" in text else text


def begin_sentence(text: str) -> str:
    """Return a message with a capital, unless it begins with a name: names stay as they are."""
    return f"{text[0].upper()}{text[1:]}" if _OPENING_WORD.match(f"{text} ") else text


def end_sentence(text: str) -> str:
    """Return a text that ends in a period, unless it ends in one or in a question mark already."""
    return text if text.endswith((".", "?")) else f"{text}."


class Ci3Error(Exception):
    """An error that a user or S3 can cause: `message` says what failed, `hint` what to do next.

    No secret of a URL is in either, whatever exception was quoted; see `redact_secrets`.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, hint: str) -> None:
        self.message = redact_secrets(message)
        self.hint = redact_secrets(hint)
        super().__init__(self.message)

    @property
    def full_message(self) -> str:
        """The message and the hint in one line."""
        return f"{end_sentence(self.message)} {self.hint}".rstrip()


class SettingsError(Ci3Error):
    """A setting, an option, or a file that one of them names is invalid."""

    exit_code = ExitCode.USAGE


class RefusedError(Ci3Error):
    """Everything was readable, but the request is not allowed."""

    exit_code = ExitCode.REFUSED


class CancelledError(RefusedError):
    """The user was asked, and declined: no error, but nothing was done."""


class InterruptedRunError(Ci3Error):
    """A signal ended the run before anything was deleted."""

    exit_code = ExitCode.INTERRUPTED


class InterruptedApplyError(Ci3Error):
    """A signal ended the run when something may have been deleted or restored."""

    exit_code = ExitCode.PARTIAL


class AccessError(Ci3Error):
    """S3, GitHub or the network prevented a necessary request."""

    exit_code = ExitCode.ACCESS


class DeniedError(AccessError):
    """S3 denied the request: the identity does not have the permission."""


class UnsupportedError(AccessError):
    """This S3 service does not implement the requested feature."""


class ListingError(AccessError):
    """A listing is inconsistent or incomplete, so that nothing may be deleted because of it."""


class GitHubError(AccessError):
    """A request to GitHub failed."""


class GitHubReadOnlyError(GitHubError):
    """The GitHub token is read-only.

    Tokens of forks and of Dependabot are; otherwise a permission of the job is missing.
    """


class JournalError(AccessError):
    """The journal cannot be written, so nothing may be deleted."""


class GateError(Exception):
    """A request was blocked because no approved plan allows it: always a bug in ci3."""


def describe_error(error: BaseException) -> str:
    """Return a one-line description: message and hint of a `Ci3Error`, otherwise a bug report."""
    if isinstance(error, Ci3Error):
        return error.full_message
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return redact_secrets(f"a bug in ci3, please report it: {error!r}")


def format_suggestion(name: str, known_names: Iterable[str]) -> str:
    """Return ` Did you mean X?` for the most similar known name, or an empty string."""
    matches = difflib.get_close_matches(name, list(known_names), n=1, cutoff=0.6)
    return f" Did you mean {matches[0]}?" if matches else ""


def add_workspace_note(hint: str, path: str) -> str:
    """Return the hint for a file that cannot be used; for an absolute path, with a note.

    In an action's container, the workspace has another absolute path than on the runner.
    Source: https://docs.github.com/actions/reference/workflows-and-actions/dockerfile-support
    """
    if not path.startswith("/"):
        return hint
    return (
        f"{hint} In the container action, use a path relative to the workspace: folders of the "
        "runner are not available."
    )
