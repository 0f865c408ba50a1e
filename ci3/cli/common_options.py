"""Options of most commands that are not settings: the AWS profile, and how much is shown."""

import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import Final

import click

from ci3.cli.console import escape_for_log
from ci3.core.formatting import escape_control_chars
from ci3.report.terminal_format import Tables

_CREDENTIAL_VARIABLES: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_REQUEST_LOGGER: Final = "urllib3.connectionpool"
"""Logs a line for each request, without its headers; all requests are sent with urllib3."""
_OTHER_QUERY = re.compile(
    r"\?(?!(delete|lifecycle|list-type|object-lock|uploads|versioning|versions)\b)\S+"
)
"""The query of a request that is not one of S3; it may have a secret in it."""
_FULL_NAMES: Final = "ci3.full-names"
_QUIET: Final = "ci3.quiet"


def with_common_options(command: click.Command) -> click.Command:
    """Add `--profile`, `--full-names`, `--quiet` and `--verbose` to a command."""
    command.params += [
        click.Option(
            ["--profile"],
            metavar="NAME",
            help="AWS profile. Overrides credentials in the environment.",
            expose_value=False,
            callback=_select_profile,
        ),
        _make_flag(["--full-names"], _FULL_NAMES, "Show full names in tables."),
        _make_flag(
            ["-q", "--quiet"],
            _QUIET,
            "Hide progress; of a plan, show only the result, warnings and errors.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            help="Log each request to S3 and GitHub to stderr.",
            expose_value=False,
            callback=_log_requests,
        ),
    ]
    return command


def _make_flag(names: Sequence[str], key: str, help_text: str) -> click.Option:
    """Return a flag that `_get_flag` reads by its key."""
    return click.Option(
        names,
        is_flag=True,
        help=help_text,
        expose_value=False,
        callback=lambda context, _option, value: context.meta.update({key: value}),
    )


def is_quiet() -> bool:
    """Return True if the current command has the option `--quiet`."""
    return _get_flag(_QUIET)


def choose_tables(*, can_hide: bool = True) -> Tables:
    """Return how the current command shows tables.

    Without `can_hide`, because the user is asked about their content, `--quiet` does not hide them.
    """
    if can_hide and is_quiet():
        return Tables.HIDDEN
    return Tables.FULL_NAMES if _get_flag(_FULL_NAMES) else Tables.SHORT_NAMES


def is_verbose() -> bool:
    """Return True if requests are logged."""
    return logging.getLogger(_REQUEST_LOGGER).level == logging.DEBUG


def _get_flag(name: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(name))


def _select_profile(_context: click.Context, _option: click.Parameter, profile: str | None) -> None:
    """Select an AWS profile for this process, as `aws --profile` does.

    Source: botocore.credentials.create_credential_resolver, which ignores the variables if a
    session has an explicit profile.
    """
    if profile is None:
        return
    for name in (*_CREDENTIAL_VARIABLES, "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    os.environ["AWS_PROFILE"] = profile


def _log_requests(_context: click.Context, _option: click.Parameter, is_set: bool) -> None:  # noqa: FBT001 - click's
    logger = logging.getLogger(_REQUEST_LOGGER)
    if is_set and not is_verbose():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_RequestFormatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)


class _RequestFormatter(logging.Formatter):
    """Formats a request as one line without secrets and control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a request."""
        line = _OTHER_QUERY.sub("?***", super().format(record))
        return escape_for_log(escape_control_chars(line))
