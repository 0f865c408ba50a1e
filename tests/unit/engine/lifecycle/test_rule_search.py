"""Which managed rules apply to a restored folder."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from ci3.aws.lifecycle.document import LifecycleDocument
from ci3.core.lifecycle.configuration import parse_configuration
from ci3.engine.lifecycle.rule_search import find_rule_ids
from ci3.engine.lifecycle.update import replace_rules
from tests.support.s3.lifecycle_texts import config, foreign_rule, make_rule

if TYPE_CHECKING:
    from ci3.aws.bucket import BucketReader


@pytest.mark.parametrize(
    ("prefix", "is_found"),
    [("a/", True), ("a/b/", True), ("a/b/c/", True), ("a/bc/", False), ("b/", False)],
)
def test_rules_of_a_folder_its_subfolders_and_its_parents_are_found(
    prefix: str, is_found: bool
) -> None:
    managed = make_rule(prefix)
    raw = replace_rules(parse_configuration(config(foreign_rule("other", "a/b/"))), (), [managed])
    document = LifecycleDocument(text=parse_configuration(raw))
    reader = cast("BucketReader", SimpleNamespace(read_lifecycle=lambda: document))

    assert find_rule_ids(reader, ["a/b/"]) == ((managed.rule_id,) if is_found else ())
