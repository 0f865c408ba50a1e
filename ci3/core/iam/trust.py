"""Whom a role trusts: the workflow runs of one repository, as IAM's trust policy says it.

Source: https://docs.github.com/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from ci3.core.iam.policy import Policy

AUDIENCE: Final = "sts.amazonaws.com"
ISSUER: Final = "token.actions.githubusercontent.com"
UNKNOWN_ACCOUNT: Final = "ACCOUNT_ID"

_REPOSITORY: Final = re.compile(
    r"(?P<owner>[A-Za-z0-9-]+)(?P<owner_id>@[0-9]+)?/(?P<name>[A-Za-z0-9._-]+)(?P<id>@[0-9]+)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The workflow runs that may take a role: of a repository, and of one part of it or all.

    `context` is how GitHub goes on in its subject: `environment:production`, `pull_request`,
    `ref:refs/heads/main`, or `*`.
    """

    repository: str
    context: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `OWNER/REPO`, with `:environment:NAME`, `:branch:NAME` or `:pull_request` behind.

        Raises ValueError with words that follow the text.
        """
        repository, colon, rest = text.partition(":")
        found = _REPOSITORY.fullmatch(repository)
        if not found:
            raise ValueError("is no repository, such as octo-org/my-site")
        if bool(found["owner_id"]) != bool(found["id"]):
            raise ValueError("has one id of two: write OWNER@ID/REPO@ID")
        if not colon:
            return cls(repository=repository, context="*")
        kind, _, name = rest.partition(":")
        if rest == "pull_request":
            return cls(repository=repository, context=rest)
        if kind not in ("environment", "branch") or not name:
            raise ValueError(
                "does not say which runs; write OWNER/REPO:environment:NAME, "
                "OWNER/REPO:branch:NAME or OWNER/REPO:pull_request"
            )
        # GitHub writes a colon in an environment's name so in the subject.
        said = name.replace(":", "%3A")
        context = f"environment:{said}" if kind == "environment" else f"ref:refs/heads/{name}"
        return cls(repository=repository, context=context)

    @property
    def subject(self) -> str:
        """The subject of GitHub's token, or a pattern of it."""
        return f"repo:{self.repository}:{self.context}"


def trust_policy(trust: Trust, *, account: str, partition: str) -> Policy:
    """Write the policy that lets these runs, and no others, take the role it is attached to."""
    is_pattern = bool(re.search(r"[*?]", trust.subject))
    subject = {f"{ISSUER}:sub": trust.subject}
    audience = {f"{ISSUER}:aud": AUDIENCE}
    condition = (
        {"StringEquals": audience, "StringLike": subject}
        if is_pattern
        else {"StringEquals": {**audience, **subject}}
    )
    provider = f"arn:{partition}:iam::{account or UNKNOWN_ACCOUNT}:oidc-provider/{ISSUER}"
    statement = {
        "Sid": "LetWorkflowsIn",
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return Policy(document=document, notes=tuple(_notes(trust, account)))


def _notes(trust: Trust, account: str) -> list[str]:
    notes = []
    if not account:
        notes.append(f"put your account's number for {UNKNOWN_ACCOUNT}, or give --account-id")
    if "@" not in trust.repository:
        notes.append(
            "a repository that was made, renamed or moved since June 18, 2026, or has opted in, "
            "says ids in its tokens: then write it as OWNER@ID/REPO@ID "
            "(`gh api repos/OWNER/REPO --jq '.owner.id, .id'` tells them)"
        )
    if trust.context == "*":
        notes.append(
            "every branch and pull request of the repository may take the role: to narrow it, add "
            ":environment:NAME or :branch:NAME"
        )
    if trust.context.startswith("ref:"):
        notes.append("a job with an `environment` says that in place of the branch")
    notes.append(
        f"the account needs the identity provider https://{ISSUER} with the audience {AUDIENCE}"
    )
    return notes
