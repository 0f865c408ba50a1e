"""The plan: every decision with what surrounds it and its id, and what of it is still due."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ci3.core.formatting import timestamp
from ci3.core.model.decision import Action, Decision, Engine
from ci3.core.model.deployment import Ignored, Target
from ci3.core.model.issues import PlanWarning, Refusal
from ci3.core.model.objects import AllVersions
from ci3.core.model.policy import DELETE_VERSIONS, ENGINE, PolicyEntry

if TYPE_CHECKING:
    from ci3.core.lifecycle.rule_status import StandingRule

NO_DEPLOYMENT = "it is no deployment by the settings any more"
"""Why something of an approved plan stays that is only a folder by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The plan in numbers; `bytes_to_keep` is None where not all that stays was counted.

    `versions_to_delete` counts delete markers too; it is 0 where versions stay. `bytes_to_delete`
    are then those of the objects, and else of all their versions. What is `expiring` is neither
    kept nor to be deleted: an earlier run has left it to S3.
    """

    found: int
    keep: int
    delete: int
    expiring: int
    objects_to_delete: int
    versions_to_delete: int
    bytes_to_delete: int
    bytes_expiring: int
    bytes_to_keep: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be done, and why; decisions stand newest first."""

    ci3_version: str
    created_at: datetime
    target: Target
    policy: Mapping[str, PolicyEntry]
    decisions: tuple[Decision, ...]
    ignored: tuple[Ignored, ...]
    refusals: tuple[Refusal, ...]
    warnings: tuple[PlanWarning, ...]
    rules: "tuple[StandingRule, ...]" = ()
    """The lifecycle rules of ours that stand here, and what becomes of them."""
    choice: tuple[str, ...] = ()
    """How the engine was chosen, in sentences, where that was left open."""

    @property
    def engine(self) -> Engine:
        """What deletes what it dooms."""
        return Engine(str(self.policy[ENGINE].value)) if ENGINE in self.policy else Engine.DIRECT

    @property
    def applyable(self) -> bool:
        """Whether nothing forbids applying it."""
        return not self.refusals

    @property
    def deletes_versions(self) -> bool:
        """Whether all versions of what it deletes go, for good."""
        return DELETE_VERSIONS in self.policy and self.target.versioning.may_hold_versions

    @property
    def doomed(self) -> tuple[Decision, ...]:
        """The decisions to delete."""
        return tuple(decision for decision in self.decisions if decision.is_delete)

    @property
    def kept(self) -> tuple[Decision, ...]:
        """The decisions to keep."""
        return tuple(decision for decision in self.decisions if decision.is_keep)

    @property
    def expiring(self) -> tuple[Decision, ...]:
        """The decisions that an earlier run has left to S3."""
        return tuple(one for one in self.decisions if one.action is Action.EXPIRING)

    @property
    def totals(self) -> Totals:
        """Count what stays and what goes."""
        doomed, kept, expiring = self.doomed, self.kept, self.expiring
        return Totals(
            found=len(self.decisions),
            keep=len(kept),
            delete=len(doomed),
            expiring=len(expiring),
            objects_to_delete=sum(decision.deployment.object_count for decision in doomed),
            versions_to_delete=sum(
                decision.deployment.versions.count
                for decision in doomed
                if decision.deployment.versions
            ),
            bytes_to_delete=sum(decision.deployment.deletion_bytes for decision in doomed),
            bytes_expiring=sum(decision.deployment.size_bytes for decision in expiring),
            bytes_to_keep=sum(decision.deployment.size_bytes for decision in kept)
            if all(decision.deployment.is_counted for decision in kept)
            else None,
        )

    @property
    def plan_id(self) -> str:
        """SHA-256 in hex over target, policy, decisions and fingerprints, not times or wording."""
        identity = {
            "target": {
                "bucket": self.target.bucket,
                "region": self.target.region,
                "prefix": self.target.prefix,
                "endpoint_url": self.target.endpoint_url,
                "versioning": self.target.versioning,
            },
            "policy": {name: entry.value for name, entry in self.policy.items()},
            "refusals": sorted(refusal.code for refusal in self.refusals),
            "decisions": sorted(_identity(decision) for decision in self.decisions),
        }
        text = json.dumps(identity, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def _identity(decision: Decision) -> tuple[str, ...]:
    deployment = decision.deployment
    return (
        deployment.name,
        deployment.prefix,
        decision.group,
        decision.action,
        ",".join(reason.code for reason in decision.reasons),
        str(deployment.object_count),
        str(deployment.size_bytes),
        *(timestamp(at) if at else "" for at in (deployment.oldest_at, deployment.newest_at)),
        str(deployment.complete),
        deployment.fingerprint,
        *_identity_of_versions(deployment.versions),
        *(() if decision.expire_days is None else ("by rule",)),
    )


def _identity_of_versions(versions: AllVersions | None) -> tuple[str, ...]:
    if versions is None:
        return ()
    return str(versions.count), str(versions.size_bytes), versions.fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class StillDue:
    """What of an approved plan may be deleted now, and what no longer, with the reason."""

    due: tuple[Decision, ...]
    withdrawn: Mapping[str, str]


def compare(approved: Plan, fresh: Plan) -> StillDue:
    """Keep of an approved plan only what a plan made since still dooms, unchanged."""
    now = {decision.deployment.name: decision for decision in fresh.decisions}
    due: list[Decision] = []
    withdrawn: dict[str, str] = {}
    for decision in approved.doomed:
        current = now.get(decision.deployment.name)
        if current is None:
            withdrawn[decision.deployment.name] = "it is gone"
        elif current.deployment.is_whole and (
            current.deployment.fingerprint != decision.deployment.fingerprint
        ):
            withdrawn[decision.deployment.name] = "its objects changed since the plan"
        elif current.is_delete and current.deployment.versions != decision.deployment.versions:
            withdrawn[decision.deployment.name] = "its old versions changed since the plan"
        elif not current.is_delete:
            withdrawn[decision.deployment.name] = "; ".join(
                reason.message for reason in current.reasons
            )
        else:
            due.append(current)
    return StillDue(due=tuple(due), withdrawn=withdrawn)
