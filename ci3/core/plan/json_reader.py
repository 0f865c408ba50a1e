"""Read plan files strictly: unknown formats, keys and codes are refused.

Names and docstrings of the models are part of the published schema, docs/plan.schema.json.
"""

import json
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from ci3.core.formatting import format_json, format_timestamp
from ci3.core.lifecycle.rule import ManagedRule
from ci3.core.lifecycle.rule_status import ExistingRule, RuleStatus
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import (
    Deployment,
    IgnoredEntry,
    NoncurrentExpiration,
    Target,
    Versioning,
)
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.objects import VersionSummary
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.plan.json_writer import encode_plan
from ci3.core.plan.plan import Plan
from ci3.errors import SettingsError

_HINT = "Create the plan again with this version of ci3, and apply it unchanged."

_Timestamp = Annotated[AwareDatetime, PlainSerializer(format_timestamp, return_type=str)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Target(_Strict):
    bucket: str
    region: str
    prefix: str
    endpoint_url: str
    versioning: Versioning
    repository: str = ""


class _PolicyEntry(_Strict):
    value: int | str | tuple[str, ...]
    origin: Origin = Field(alias="from")


class _Refusal(_Strict):
    code: RefusalCode
    message: str


class _Warning(_Strict):
    code: WarningCode
    message: str


class _RestorePeriod(_Strict):
    """How long S3 keeps the noncurrent versions of what is deleted."""

    days: int | None = Field(ge=1)
    is_minimum: bool
    problem: str


class _Reason(_Strict):
    code: ReasonCode
    message: str


class _Versions(_Strict):
    """All versions and delete markers, if they are deleted too."""

    count: int = Field(ge=0)
    size_bytes: int = Field(ge=0)
    fingerprint: str = Field(pattern="^[0-9a-f]{64}$")


class _Deployment(_Strict):
    name: str
    prefix: str
    group: str
    decision: Action
    reasons: list[_Reason] = Field(min_length=1)
    object_count: int | None = Field(ge=0)
    size_bytes: int | None = Field(ge=0)
    oldest_at: _Timestamp | None
    newest_at: _Timestamp | None
    complete: bool
    fingerprint: str | None = Field(pattern="^[0-9a-f]{64}$")
    versions: _Versions | None
    expire_days: int | None = Field(ge=1)

    @model_validator(mode="after")
    def _check_listing(self) -> Self:
        is_counted, is_fully_listed = self.object_count is not None, self.fingerprint is not None
        if is_counted is not (self.size_bytes is not None) or (is_fully_listed and not is_counted):
            raise ValueError(
                "object_count and size_bytes must be set together, and a fingerprint needs both"
            )
        if self.decision is Action.DELETE and not is_fully_listed:
            raise ValueError("a deployment to delete must be listed in full")
        return self


class _Ignored(_Strict):
    name: str
    reason: str


class _Totals(_Strict):
    found: int
    keep: int
    delete: int
    expiring: int
    objects_to_delete: int
    versions_to_delete: int
    bytes_to_delete: int
    bytes_expiring: int
    bytes_to_keep: int | None


class _Rule(_Strict):
    """A managed lifecycle rule in the bucket, with its status."""

    id: str
    name: str
    prefix: str = Field(pattern="/$")
    days: int | None = Field(ge=1)
    noncurrent_days: int | None = Field(ge=1)
    expires_at: _Timestamp
    status: RuleStatus
    message: str


class PlanFile(_Strict):
    """A plan of ci3: which deployments of a bucket are deleted or kept, and why."""

    format: Literal["ci3-plan/2"]
    ci3_version: str
    plan_id: str = Field(pattern="^[0-9a-f]{64}$")
    created_at: _Timestamp
    target: _Target
    policy: dict[str, _PolicyEntry]
    applyable: bool
    refusals: list[_Refusal]
    warnings: list[_Warning]
    restore_period: _RestorePeriod | None
    deployments: list[_Deployment]
    ignored: list[_Ignored]
    rules: list[_Rule]
    next_run_by: _Timestamp | None
    choice: list[str]
    totals: _Totals


class PlansFile(_Strict):
    """The plans of a run over several targets, in the policy file's order."""

    format: Literal["ci3-plan/2"]
    plans: list[PlanFile] = Field(min_length=1)


def load_plans(text: str, source: str) -> tuple[Plan, ...]:
    """Parse the text of a plan file; `source` is the file's name in errors.

    Raises SettingsError for another format, an unknown key or code, and for an edited file: one in
    which a value does not match the rest of the content that it is computed from.
    """
    try:
        content = json.loads(text)
        has_targets = isinstance(content, dict) and "plans" in content
        files = (
            PlansFile.model_validate_json(text).plans
            if has_targets
            else [PlanFile.model_validate_json(text)]
        )
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in error["loc"]) or "the file"
        raise SettingsError(f"{source} is not a ci3 plan: {path}: {error['msg']}", _HINT) from exc
    except (ValueError, RecursionError) as exc:
        raise SettingsError(f"{source} is not a ci3 plan: it is not JSON", _HINT) from exc
    plans = tuple(_to_plan(file) for file in files)
    contents = content["plans"] if has_targets else [content]
    for plan, plan_json in zip(plans, contents, strict=True):
        derived = json.loads(format_json(encode_plan(plan)))
        for key in ("plan_id", "totals", "applyable", "next_run_by"):
            if derived[key] != plan_json[key]:
                raise SettingsError(f"{source} was edited: {key} does not match the content", _HINT)
    return plans


def _to_plan(file: PlanFile) -> Plan:
    return Plan(
        ci3_version=file.ci3_version,
        created_at=file.created_at,
        target=Target(**file.target.model_dump()),
        policy={name: PolicyEntry(**entry.model_dump()) for name, entry in file.policy.items()},
        decisions=tuple(_to_decision(deployment) for deployment in file.deployments),
        ignored=tuple(IgnoredEntry(**item.model_dump()) for item in file.ignored),
        refusals=tuple(Refusal(**item.model_dump()) for item in file.refusals),
        warnings=tuple(PlanWarning(**item.model_dump()) for item in file.warnings),
        restore_period=NoncurrentExpiration(**file.restore_period.model_dump())
        if file.restore_period
        else None,
        rules=tuple(_to_rule(rule) for rule in file.rules),
        engine_explanation=tuple(file.choice),
    )


def _to_rule(entry: _Rule) -> ExistingRule:
    rule = ManagedRule(
        prefix=entry.prefix,
        days=entry.days,
        noncurrent_days=entry.noncurrent_days,
        expires_at=entry.expires_at,
    )
    return ExistingRule(rule=rule, name=entry.name, status=entry.status, message=entry.message)


def _to_decision(entry: _Deployment) -> Decision:
    return Decision(
        deployment=Deployment(
            name=entry.name,
            prefix=entry.prefix,
            object_count=entry.object_count or 0,
            size_bytes=entry.size_bytes or 0,
            oldest_at=entry.oldest_at,
            newest_at=entry.newest_at,
            is_complete=entry.complete,
            fingerprint=entry.fingerprint or "",
            is_fully_listed=entry.fingerprint is not None,
            is_from_report=entry.fingerprint is None and entry.object_count is not None,
            versions=VersionSummary(**entry.versions.model_dump()) if entry.versions else None,
        ),
        group=entry.group,
        action=entry.decision,
        reasons=tuple(Reason(code=reason.code, message=reason.message) for reason in entry.reasons),
        expire_days=entry.expire_days,
    )


def build_plan_schema() -> str:
    """Return the JSON Schema of plan files, as published in docs/plan.schema.json."""
    adapter: TypeAdapter[PlanFile | PlansFile] = TypeAdapter(PlanFile | PlansFile)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A plan file of ci3",
        **adapter.json_schema(by_alias=True, mode="validation"),
    }
    return json.dumps(schema, indent=2) + "\n"
