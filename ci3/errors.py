"""Every error that ci3 raises on purpose: what went wrong and where, what to do next, exit code."""

from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells its caller."""

    DONE = 0
    BUG = 1
    USAGE = 2
    PARTIAL = 3
    REFUSED = 4
    STALE_PLAN = 5
    ACCESS = 6
    WOULD_DELETE = 10
    """Only with `--detailed-exitcode`: the plan is fine and would delete something."""
    INTERRUPTED = 130
    """What shells say of a program that was interrupted; nothing had been deleted."""
    BROKEN_PIPE = 141
    """What shells say of a program whose reader went away; what was to come was left undone."""


class Ci3Error(Exception):
    """An error that a user or S3 can cause, told in words."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def told(self) -> str:
        """The message and the hint, as one line."""
        stop = "" if self.message.endswith((".", "?")) else "."
        return f"{self.message}{stop} {self.hint}".rstrip()


class SettingsError(Ci3Error):
    """A setting, an option or a file named by one is wrong."""

    exit_code = ExitCode.USAGE


class RefusedError(Ci3Error):
    """Everything could be read, and the answer is no."""

    exit_code = ExitCode.REFUSED


class AccessError(Ci3Error):
    """S3, GitHub or the network did not let ci3 read or do what it must."""

    exit_code = ExitCode.ACCESS


class DeniedError(AccessError):
    """S3 answered that this identity may not do this."""


class LackingError(AccessError):
    """This S3 answered that it has no such thing at all."""


class ListingError(AccessError):
    """A listing came back that can't be trusted: doubt keeps, so nothing follows from it."""


class GitHubError(AccessError):
    """GitHub did not do what was asked."""


class GitHubReadOnlyError(GitHubError):
    """The token may not write: a fork's or Dependabot's, or a permission is missing."""


class JournalError(AccessError):
    """The journal can't be written, so nothing may be deleted."""


class GateError(Exception):
    """The last gate stopped a request that no plan allows: a bug of ours, never a user's."""


def told(error: BaseException) -> str:
    """Put an error into words: ours as they are, any other as the bug that it is."""
    if isinstance(error, Ci3Error):
        return error.told
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted"
    return f"a bug in ci3, please report it: {error!r}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, or nothing; the words end a sentence."""
    import difflib  # noqa: PLC0415 - few runs meet a wrong name

    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {matches[0]}?" if matches else ""
