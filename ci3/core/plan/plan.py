"""The plan of a target with its id, and the revalidation of an approved plan."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ci3.core.formatting import format_timestamp
from ci3.core.lifecycle.rule import RULE_TERM
from ci3.core.lifecycle.rule_status import ExistingRule, truncate_to_seconds
from ci3.core.model.decision import Action, Decision, Engine
from ci3.core.model.deployment import IgnoredEntry, NoncurrentExpiration, Target
from ci3.core.model.issues import PlanWarning, Refusal
from ci3.core.model.policy import DELETE_VERSIONS_SETTING, ENGINE_SETTING, PolicyEntry

NO_LONGER_A_DEPLOYMENT = "the settings now exclude it"
"""Why a folder of an approved plan is kept that the settings now exclude."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The plan in numbers.

    `versions_to_delete` includes delete markers; it is 0 if versions are not deleted. In that case
    `bytes_to_delete` is the size of the objects, otherwise of all their versions. `expiring`
    deployments are counted neither as kept nor as to be deleted: S3 deletes them by a lifecycle
    rule of an earlier run. `bytes_to_keep` is None unless all kept deployments were counted.
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
    """All decisions of a target, with refusals and warnings.

    `decisions` are ordered from newest to oldest.
    """

    ci3_version: str
    created_at: datetime
    target: Target
    policy: Mapping[str, PolicyEntry]
    decisions: tuple[Decision, ...]
    ignored: tuple[IgnoredEntry, ...]
    refusals: tuple[Refusal, ...]
    warnings: tuple[PlanWarning, ...]
    restore_period: NoncurrentExpiration | None = None
    """How long S3 keeps what is deleted; None if it keeps nothing, or nothing for certain."""
    rules: tuple[ExistingRule, ...] = ()
    """The managed lifecycle rules of the target, and what happens to each."""
    engine_explanation: tuple[str, ...] = ()
    """Why the engine was chosen, one sentence each; empty unless it was `auto`."""

    @property
    def engine(self) -> Engine:
        """The engine that deletes."""
        entry = self.policy.get(ENGINE_SETTING)
        return Engine(str(entry.value)) if entry is not None else Engine.DIRECT

    @property
    def is_applyable(self) -> bool:
        """True if there are no refusals."""
        return not self.refusals

    @property
    def deletes_versions(self) -> bool:
        """True if all versions of a deployment are permanently deleted with it."""
        return (
            DELETE_VERSIONS_SETTING in self.policy
            and self.target.versioning.may_have_noncurrent_versions
        )

    @property
    def to_delete(self) -> tuple[Decision, ...]:
        """The decisions to delete."""
        return tuple(decision for decision in self.decisions if decision.is_delete)

    @property
    def kept(self) -> tuple[Decision, ...]:
        """The decisions to keep."""
        return tuple(decision for decision in self.decisions if decision.is_keep)

    @property
    def expiring(self) -> tuple[Decision, ...]:
        """The decisions about deployments that S3 deletes by a rule of an earlier run."""
        return tuple(decision for decision in self.decisions if decision.action is Action.EXPIRING)

    @property
    def adds_rules(self) -> bool:
        """True if an apply leaves a deployment to S3, by a lifecycle rule."""
        return any(decision.expire_days is not None for decision in self.decisions)

    @property
    def next_run_by(self) -> datetime | None:
        """The time by which another apply must run to remove lifecycle rules; None without rules.

        That is when the lifetime of the first rule ends. The new rules count as if the plan was
        applied when it was made.
        """
        ends = [entry.rule.expires_at for entry in self.rules if entry.is_expiring]
        if self.adds_rules:
            ends.append(truncate_to_seconds(self.created_at) + RULE_TERM)
        return min(ends, default=None)

    @property
    def totals(self) -> Totals:
        """Numbers of deployments, objects, versions and bytes by decision."""
        to_delete, kept, expiring = self.to_delete, self.kept, self.expiring
        return Totals(
            found=len(self.decisions),
            keep=len(kept),
            delete=len(to_delete),
            expiring=len(expiring),
            objects_to_delete=sum(decision.deployment.object_count for decision in to_delete),
            versions_to_delete=sum(
                decision.deployment.versions.count
                for decision in to_delete
                if decision.deployment.versions
            ),
            bytes_to_delete=sum(decision.deployment.deletion_bytes for decision in to_delete),
            bytes_expiring=sum(decision.deployment.size_bytes for decision in expiring),
            bytes_to_keep=sum(decision.deployment.size_bytes for decision in kept)
            if all(decision.deployment.has_counts for decision in kept)
            else None,
        )

    @property
    def plan_id(self) -> str:
        """SHA-256 in hex over target, policy, refusal codes, decisions and fingerprints.

        Neither the time of planning nor any message changes it.
        """
        identity = {
            "target": self.target.encode(),
            "policy": {name: entry.value for name, entry in self.policy.items()},
            "refusals": sorted(refusal.code for refusal in self.refusals),
            "decisions": sorted(_build_identity(decision) for decision in self.decisions),
        }
        text = json.dumps(identity, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def _build_identity(decision: Decision) -> tuple[str, ...]:
    deployment, versions = decision.deployment, decision.deployment.versions
    version_identity = (
        (str(versions.count), str(versions.size_bytes), versions.fingerprint) if versions else ()
    )
    return (
        deployment.name,
        deployment.prefix,
        decision.group,
        decision.action,
        ",".join(reason.code for reason in decision.reasons),
        str(deployment.object_count),
        str(deployment.size_bytes),
        *(
            format_timestamp(time) if time else ""
            for time in (deployment.oldest_at, deployment.newest_at)
        ),
        str(deployment.is_complete),
        deployment.fingerprint,
        *version_identity,
        *(() if decision.expire_days is None else ("by rule",)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Revalidation:
    """The deployments of an approved plan that may still be deleted, and the others.

    `withdrawn` maps the name of each deployment that may not be deleted any more to the reason.
    """

    to_delete: tuple[Decision, ...]
    withdrawn: Mapping[str, str]


def revalidate(approved: Plan, fresh: Plan) -> Revalidation:
    """Return which deletions of an approved plan a newer plan confirms.

    | in the newer plan                      | result                                        |
    |----------------------------------------|-----------------------------------------------|
    | missing                                | withdrawn: it no longer exists                |
    | listed in full, other fingerprint      | withdrawn: its objects changed                |
    | to delete, other versions              | withdrawn: its noncurrent versions changed     |
    | not to delete                          | withdrawn: the reasons of the newer decision  |
    | to delete, same fingerprint, versions  | still to be deleted                           |

    The first row that applies counts.
    """
    current_by_name = {decision.deployment.name: decision for decision in fresh.decisions}
    to_delete: list[Decision] = []
    withdrawn: dict[str, str] = {}
    for planned in (decision.deployment for decision in approved.to_delete):
        current = current_by_name.get(planned.name)
        if current is None:
            withdrawn[planned.name] = "it no longer exists"
            continue
        listed = current.deployment
        change = planned.find_change(
            # Without a full listing there is no fingerprint; versions are listed to delete them.
            listed.fingerprint if listed.is_fully_listed else planned.fingerprint,
            listed.versions if current.is_delete else planned.versions,
        )
        if change or not current.is_delete:
            reasons = "; ".join(reason.message for reason in current.reasons)
            withdrawn[planned.name] = change or reasons
        else:
            to_delete.append(current)
    return Revalidation(to_delete=tuple(to_delete), withdrawn=withdrawn)
