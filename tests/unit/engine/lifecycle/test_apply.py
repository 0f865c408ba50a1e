"""The outcome that the journal gets when new rules are rolled back."""

from types import SimpleNamespace
from typing import Any

import pytest

from ci3.aws.lifecycle.document import LifecycleDocument
from ci3.core.lifecycle.configuration import ConfigurationText
from ci3.engine.lifecycle.apply import ExpiryRuleWriter


@pytest.mark.parametrize(
    ("is_write_begun", "rollback_problem", "outcome"),
    [(False, "", "not-written"), (True, "", "rolled-back"), (True, "S3 is down", "unknown")],
)
def test_journal_records_the_result_of_a_roll_back(
    monkeypatch: pytest.MonkeyPatch, is_write_begun: bool, rollback_problem: str, outcome: str
) -> None:
    recorded: list[str] = []
    unused: Any = SimpleNamespace()
    rule_writer = ExpiryRuleWriter(
        reader=unused,
        gate=unused,
        journal=unused,
        progress=unused,
        sleep=lambda _: None,
        clock=unused,
        prefix="",
        keeps_versions=False,
        concurrency=1,
    )
    monkeypatch.setattr(
        ExpiryRuleWriter,
        "_record_outcome",
        lambda _self, outcome, _message: recorded.append(outcome),
    )
    rule_writer._is_journaled = True
    rule_writer._before = LifecycleDocument(text=ConfigurationText()) if is_write_begun else None
    rule_writer._updater = SimpleNamespace(roll_back=lambda *_: rollback_problem)

    problem = rule_writer._roll_back("a-problem")

    assert recorded == [outcome]
    assert problem.startswith("a-problem")
    assert rollback_problem in problem
