"""The records of a journal as strict models, and the JSON schema made from them."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    model_validator,
)

from ci3.core.journal.entry import RulesOutcome
from ci3.core.journal.header import ApprovedDeployment, JournalHeader
from ci3.core.model.deployment import Target, Versioning
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.model.result import ObjectOutcome

_Text = Annotated[str, Field(min_length=1)]

Row = (
    tuple[str, str | None, NonNegativeInt, NonNegativeInt]
    | tuple[str, str | None, NonNegativeInt, NonNegativeInt, _Text]
)
"""An object: key without its part's prefix, ETag, size in bytes, index in `times`, version ID.

A delete marker has no ETag.
"""

OutcomeRow = tuple[NonNegativeInt, ObjectOutcome, str]
"""The outcome of an object: position in the intent, outcome, message."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TargetRecord(_Strict):
    """The target of the run."""

    bucket: str = Field(min_length=1)
    region: str
    prefix: str = Field(pattern=r"^([\s\S]*/)?$")
    endpoint_url: str
    versioning: Versioning
    repository: str = ""


class PolicyRecord(_Strict):
    """A setting that was not at its default."""

    value: int | str | tuple[str, ...]
    origin: Origin = Field(alias="from")


class DeploymentRecord(_Strict):
    """A deployment as it was approved."""

    name: str = Field(pattern="^[^/]+$")
    fingerprint: str = Field(min_length=1)
    object_count: int = Field(ge=0)
    size_bytes: int = Field(ge=0)


class HeaderRecord(_Strict):
    """The first line: the run, its plan and target, and the deployments approved for deletion."""

    record: Literal["header"]
    format: Literal["ci3-journal/2"]
    ci3_version: str
    run_id: str = Field(min_length=1)
    plan_id: str
    started_at: AwareDatetime
    target: TargetRecord
    policy: dict[str, PolicyRecord]
    deployments: list[DeploymentRecord]

    @model_validator(mode="after")
    def _validate_unique_names(self) -> Self:
        if len({deployment.name for deployment in self.deployments}) != len(self.deployments):
            raise ValueError("a deployment is listed twice")
        return self

    def to_header(self) -> JournalHeader:
        """Return the header with its deployments by prefix."""
        prefixes = [f"{self.target.prefix}{deployment.name}/" for deployment in self.deployments]
        return JournalHeader(
            ci3_version=self.ci3_version,
            run_id=self.run_id,
            plan_id=self.plan_id,
            started_at=self.started_at,
            target=Target(**self.target.model_dump()),
            policy={name: PolicyEntry(**entry.model_dump()) for name, entry in self.policy.items()},
            deployments={
                prefix: ApprovedDeployment(prefix=prefix, **deployment.model_dump())
                for prefix, deployment in zip(prefixes, self.deployments, strict=True)
            },
        )


class PartRecord(_Strict):
    """The objects of one deployment in a batch."""

    prefix: str = Field(pattern="/$")
    objects: list[Row] = Field(min_length=1)


class IntentRecord(_Strict):
    """What the next request deletes; written before the request is sent.

    `by_version`: the versions are deleted permanently; all objects have a version ID. `times` are
    times of last modification, to which the objects refer by position.
    """

    record: Literal["intent"]
    batch: PositiveInt
    by_version: bool = False
    times: list[AwareDatetime]
    parts: list[PartRecord] = Field(min_length=1)

    @model_validator(mode="after")
    def _validate_objects(self) -> Self:
        for part in self.parts:
            for row in part.objects:
                if row[3] >= len(self.times):
                    raise ValueError("an object refers to a time that is not in the list")
                if self.by_version and len(row) == 4:  # noqa: PLR2004 - a row without the version ID
                    raise ValueError("an object to delete by version has no version ID")
                if row[1] is None and not self.by_version:
                    raise ValueError("a delete marker can only be deleted by version")
        return self

    @property
    def object_count(self) -> int:
        """Number of objects."""
        return sum(len(part.objects) for part in self.parts)

    def iterate_rows(self, prefix: str) -> Iterator[tuple[int, Row]]:
        """Iterate over the objects of one deployment, with their position in the batch."""
        start = 0
        for part in self.parts:
            if part.prefix == prefix:
                yield from enumerate(part.objects, start)
            start += len(part.objects)


class OutcomeRecord(_Strict):
    """The outcome of all objects of a batch, except for `others`.

    `others` are the position in the intent, the outcome and a message. `markers`, if any, are the
    version IDs of the delete markers that were created, one for each object of the intent.
    """

    record: Literal["outcome"]
    batch: PositiveInt
    outcome: ObjectOutcome
    message: str = ""
    others: list[OutcomeRow] = []
    markers: list[_Text | None] = []

    @property
    def rows(self) -> Sequence[OutcomeRow]:
        """The objects that the record names."""
        return self.others


class ResolvedRecord(_Strict):
    """Outcomes that a later listing showed: position in the intent, outcome, message."""

    record: Literal["resolved"]
    batch: PositiveInt
    objects: list[OutcomeRow]

    @property
    def rows(self) -> Sequence[OutcomeRow]:
        """The objects that the record names."""
        return self.objects


class RuleRecord(_Strict):
    """A lifecycle rule, and the prefix of the deployment that it deletes."""

    prefix: str = Field(pattern="/$")
    days: PositiveInt
    noncurrent_days: PositiveInt | None
    expires_at: AwareDatetime


class RulesRecord(_Strict):
    """Lifecycle rules that the next request creates; written before the request is sent.

    `before` is the text of the previous lifecycle configuration, or empty if there was none.
    """

    record: Literal["rules"]
    before: str
    transition_minimum: str
    rules: list[RuleRecord] = Field(min_length=1)


class RulesOutcomeRecord(_Strict):
    """The outcome of writing the rules."""

    record: Literal["rules-outcome"]
    outcome: RulesOutcome
    message: str = ""


class EndRecord(_Strict):
    """The run ended; `stopped` is the reason if it ended early, otherwise empty."""

    record: Literal["end"]
    stopped: str


class ResumedRecord(_Strict):
    """The run was resumed after it ended or crashed."""

    record: Literal["resumed"]
    ci3_version: str
    resumed_at: AwareDatetime


BatchRecord = IntentRecord | OutcomeRecord | ResolvedRecord
Record = HeaderRecord | BatchRecord | RulesRecord | RulesOutcomeRecord | EndRecord | ResumedRecord

RECORD_ADAPTER: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="record")])


def journal_schema() -> str:
    """Return the JSON Schema of a line, as published in docs/journal.schema.json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a ci3 journal",
        **RECORD_ADAPTER.json_schema(mode="validation"),
    }
    return json.dumps(schema, indent=2) + "\n"
