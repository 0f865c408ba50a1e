"""Creates the contexts of a run's targets, for both front ends."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ci3.aws.client import Credentials
from ci3.aws.credentials import assume_role, format_session_name
from ci3.ca_bundle import find_ca_bundle
from ci3.config.settings import Settings
from ci3.core.live.references import Reference
from ci3.engine.workers.progress import Progress
from ci3.pipeline.context import TargetContext

if TYPE_CHECKING:
    from ci3.github.api import GitHubApi


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFactory:
    """Creates target contexts from what a front end provides; they share the role's credentials.

    `references` are those of the workflow run, if any; `references_after_close` replace them for
    targets with `expire-closed`. `environ` has GitHub's variables.
    """

    environ: Mapping[str, str]
    references: Sequence[Reference]
    references_after_close: Sequence[Reference]
    progress: Progress
    requires_identity_token: bool
    """True if a role is assumed with GitHub's identity token only.

    Otherwise, without one, it is assumed with the default credential provider chain.
    """
    mask_secret: Callable[[str], None] = lambda _secret: None
    on_journal_open: Callable[[str], None] = lambda _path: None
    _credentials: dict[str, Credentials] = field(init=False, default_factory=dict)
    """By role."""

    def create(self, settings: Settings, github: "GitHubApi | None" = None) -> TargetContext:
        """Create the context of one target.

        Raises SettingsError if a role needs an identity token and the job may not request one.
        """
        has_expiry = settings.expire_closed is not None
        return TargetContext(
            settings=settings,
            references=self.references_after_close if has_expiry else self.references,
            progress=self.progress,
            clock=_read_clock,
            sleep=time.sleep,
            github=github,
            credentials=self._assume_role(settings),
            on_journal_open=self.on_journal_open,
            ca_bundle=find_ca_bundle(self.environ),
        )

    def _assume_role(self, settings: Settings) -> Credentials | None:
        """Return the credentials of `role-to-assume`, or None if it is not set."""
        role = settings.role_to_assume
        if role and role not in self._credentials:
            self._credentials[role] = assume_role(
                role,
                region=settings.region,
                session_name=format_session_name(self.environ.get("GITHUB_RUN_ID", "")),
                fetch_web_identity_token=self._find_identity_token(),
                clock=_read_clock,
            )
        return self._credentials.get(role)

    def _find_identity_token(self) -> Callable[[], str] | None:
        from ci3.github.oidc import (  # noqa: PLC0415 - requests: few runs assume a role
            has_identity_tokens,
            open_identity_tokens,
        )

        if not self.requires_identity_token and not has_identity_tokens(self.environ):
            return None
        tokens = open_identity_tokens(self.environ, mask_secret=self.mask_secret, sleep=time.sleep)
        return tokens.fetch_token


def _read_clock() -> datetime:
    return datetime.now(UTC)
