"""Rolling back a lifecycle configuration."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from ci3.aws.lifecycle.document import LifecycleDocument, WriteResult
from ci3.core.lifecycle.configuration import parse_configuration
from ci3.engine.lifecycle.update import ConfigurationUpdater, replace_rules
from tests.support.s3.lifecycle_texts import config, foreign_rule, make_rule

if TYPE_CHECKING:
    from ci3.aws.bucket import BucketReader

ADDED = (make_rule("a/"), make_rule("b/"))
SAVED = config(foreign_rule())
CHANGED = config(foreign_rule() + foreign_rule("cache", "cache/"))


def add_rules(raw: bytes) -> bytes:
    return replace_rules(parse_configuration(raw), (), ADDED)


@dataclass
class MemoryBucket:
    """A bucket's lifecycle configuration in memory; it is its own writer."""

    raw: bytes
    writes: list[bytes] = field(default_factory=list)

    def read_lifecycle(self) -> LifecycleDocument:
        return LifecycleDocument(text=parse_configuration(self.raw))

    def open_lifecycle_writer(self) -> "MemoryBucket":
        return self

    def write(self, raw: bytes, _transition_minimum: str) -> WriteResult:
        self.raw = raw
        self.writes.append(raw)
        return WriteResult()


def roll_back(bucket: MemoryBucket) -> str:
    saved = LifecycleDocument(text=parse_configuration(SAVED))
    reader = cast("BucketReader", bucket)
    return ConfigurationUpdater(reader=reader, sleep=lambda _: None).roll_back(saved, ADDED)


@pytest.mark.parametrize(
    ("current", "writes"),
    [
        pytest.param(SAVED, [SAVED], id="no added rules, rest equals saved"),
        pytest.param(CHANGED, [], id="no added rules, rest differs"),
        pytest.param(add_rules(SAVED), [SAVED], id="added rules, rest equals saved"),
        pytest.param(add_rules(CHANGED), [CHANGED], id="added rules, rest differs"),
    ],
)
def test_roll_back_removes_added_rules_and_keeps_other_changes(
    current: bytes, writes: list[bytes]
) -> None:
    bucket = MemoryBucket(current)
    assert roll_back(bucket) == ""
    assert bucket.writes == writes


def test_saved_configuration_is_restored_byte_for_byte() -> None:
    bucket = MemoryBucket(add_rules(SAVED).replace(b"</Rule>", b"</Rule>\n"))
    assert roll_back(bucket) == ""
    assert bucket.raw == SAVED


def test_edited_rule_is_recognized_by_its_id() -> None:
    bucket = MemoryBucket(add_rules(SAVED).replace(b">20<", b">99<"))
    assert roll_back(bucket) == ""
    assert bucket.raw == SAVED


@pytest.mark.parametrize("has_added_rules", [False, True])
def test_new_rule_under_another_id_for_the_same_folder_is_a_problem(has_added_rules: bool) -> None:
    current = config(foreign_rule() + foreign_rule("copy", "a/"))
    bucket = MemoryBucket(add_rules(current) if has_added_rules else current)
    assert "copy" in roll_back(bucket)
    assert bucket.raw == current
