"""Which managed rules concern a folder that is restored."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from ci3.aws.lifecycle.document import LifecycleReading
from ci3.core.lifecycle.configuration import read_configuration
from ci3.engine.lifecycle.rule_search import find_rules
from ci3.engine.lifecycle.update import spliced
from tests.support.s3.lifecycle_texts import foreign_rule, rule_for, whole

if TYPE_CHECKING:
    from ci3.aws.bucket import BucketReader


@pytest.mark.parametrize(
    ("prefix", "is_found"),
    [("a/", True), ("a/b/", True), ("a/b/c/", True), ("a/bc/", False), ("b/", False)],
)
def test_rules_of_a_folder_its_subfolders_and_its_parents_are_found(
    prefix: str, is_found: bool
) -> None:
    managed = rule_for(prefix)
    raw = spliced(read_configuration(whole(foreign_rule("other", "a/b/"))), (), [managed])
    document = LifecycleReading(text=read_configuration(raw))
    reader = cast("BucketReader", SimpleNamespace(read_lifecycle=lambda: document))

    assert find_rules(reader, ["a/b/"]) == ((managed.rule_id,) if is_found else ())
