"""Build the trust policy that lets workflow runs of a repository assume a role.

Source: https://docs.github.com/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from ci3.core.iam.policy import IamPolicy

AUDIENCE: Final = "sts.amazonaws.com"
ISSUER: Final = "token.actions.githubusercontent.com"
ACCOUNT_PLACEHOLDER: Final = "ACCOUNT_ID"

_REPOSITORY: Final = re.compile(
    r"(?P<owner>[A-Za-z0-9-]+)(?P<owner_id>@[0-9]+)?/(?P<name>[A-Za-z0-9._-]+)(?P<id>@[0-9]+)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedRuns:
    """The workflow runs that may assume a role: all of a repository, or those of one context.

    `context` is the end of the subject in GitHub's token: `environment:production`,
    `pull_request`, `ref:refs/heads/main`, or `*` for all.
    """

    repository: str
    context: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `OWNER/REPO`, `OWNER/REPO:environment:NAME`, `…:branch:NAME` or `…:pull_request`.

        Raises ValueError with a predicate for the text, such as `has only one of two IDs; …`.
        """
        repository, colon, rest = text.partition(":")
        match = _REPOSITORY.fullmatch(repository)
        if not match:
            raise ValueError("is not a repository, such as octo-org/my-site")
        if bool(match["owner_id"]) != bool(match["id"]):
            raise ValueError("has only one of two IDs; write OWNER@ID/REPO@ID")
        if not colon:
            return cls(repository=repository, context="*")
        kind, _, name = rest.partition(":")
        if rest == "pull_request":
            return cls(repository=repository, context=rest)
        if kind not in ("environment", "branch") or not name:
            raise ValueError(
                "does not specify which runs; write OWNER/REPO:environment:NAME, "
                "OWNER/REPO:branch:NAME or OWNER/REPO:pull_request"
            )
        # GitHub escapes a colon in an environment's name in the subject.
        escaped_name = name.replace(":", "%3A")
        context = (
            f"environment:{escaped_name}" if kind == "environment" else f"ref:refs/heads/{name}"
        )
        return cls(repository=repository, context=context)

    @property
    def subject(self) -> str:
        """The subject of GitHub's token, or a pattern that matches it."""
        return f"repo:{self.repository}:{self.context}"


def build_trust_policy(trust: TrustedRuns, *, account: str, partition: str) -> IamPolicy:
    """Return the trust policy that lets exactly these runs assume the role it is attached to."""
    is_pattern = bool(re.search(r"[*?]", trust.subject))
    subject = {f"{ISSUER}:sub": trust.subject}
    audience = {f"{ISSUER}:aud": AUDIENCE}
    condition = (
        {"StringEquals": audience, "StringLike": subject}
        if is_pattern
        else {"StringEquals": {**audience, **subject}}
    )
    provider = f"arn:{partition}:iam::{account or ACCOUNT_PLACEHOLDER}:oidc-provider/{ISSUER}"
    statement = {
        "Sid": "GitHubActionsOIDC",
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return IamPolicy(document=document, notes=tuple(_find_notes(trust, account)))


def _find_notes(trust: TrustedRuns, account: str) -> list[str]:
    notes = []
    if not account:
        notes.append(f"replace {ACCOUNT_PLACEHOLDER} with your account ID, or pass --account-id")
    if "@" not in trust.repository:
        notes.append(
            "if the repository was created, renamed or transferred since June 18, 2026, or has "
            "opted in, its tokens contain IDs: write it as OWNER@ID/REPO@ID "
            "(`gh api repos/OWNER/REPO --jq '.owner.id, .id'` prints them)"
        )
    if trust.context == "*":
        notes.append(
            "every branch and pull request of the repository can assume the role: to restrict it, "
            "add :environment:NAME or :branch:NAME"
        )
    if trust.context.startswith("ref:"):
        notes.append(
            "the token of a job with an `environment` contains that instead of the branch: use "
            ":environment:NAME for it"
        )
    notes.append(
        f"the account needs the identity provider https://{ISSUER} with the audience {AUDIENCE}"
    )
    return notes
