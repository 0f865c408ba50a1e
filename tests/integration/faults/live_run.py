"""Runs with a simulated clock for reading live sources; `current` names the live deployment."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ci3.core.model.result import ApplyResult
from ci3.core.plan.target_result import TargetResult
from ci3.pipeline.approval import approve_plan
from ci3.pipeline.context import TargetContext
from tests.support.cleanup_run import OLD_NAMES, delete_approved, make_context
from tests.support.s3.fault_proxy import Request
from tests.support.s3.memory_site import MemorySite

FILES = 1_500
"""Objects of an old deployment: more than a batch, so that batches end within deployments."""


@dataclass
class Clock:
    """A monotonic clock that advances by `step` whenever it is read."""

    seconds: float = 0.0
    step: float = 0.0

    def __call__(self) -> float:
        self.seconds += self.step
        return self.seconds


@dataclass
class LiveRun:
    context: TargetContext
    clock: Clock = field(default_factory=Clock)
    result: ApplyResult | None = None

    def apply(self, *, after_approval: Callable[[], object] = lambda: None) -> "LiveRun":
        self.context = replace(self.context, monotonic=self.clock)
        reader = self.context.open_bucket()
        plan = self.context.make_plan(reader)
        assert {decision.deployment.name for decision in plan.to_delete} == set(OLD_NAMES)
        approved = approve_plan(self.context, plan, reader, is_fresh=True)
        after_approval()
        self.result = delete_approved(self.context, approved, reader)
        self.outcome = TargetResult(plan=plan, result=self.result).outcome
        return self

    def counts(self, name: str) -> dict[str, int]:
        return {
            str(outcome): count for outcome, count in self._result_of(name).counts.items() if count
        }

    def problem(self, name: str) -> str:
        return self._result_of(name).problem

    def _result_of(self, name: str):
        return next(result for result in self.result.deployments if result.name == name)


def seed(site: MemorySite, files: int = FILES) -> None:
    site.deploy("new", days=1)
    for days, name in enumerate(OLD_NAMES, start=10):
        site.deploy(name, days=days, files=files)


def make_run(site: MemorySite, **settings: str) -> LiveRun:
    return LiveRun(make_context(site, **({"live_from": "object:current"} | settings)))


def move_pointer(site: MemorySite, name: str) -> None:
    site.put("current", body=name.encode())


def count_objects(site: MemorySite, name: str) -> int:
    return sum(key.startswith(f"{name}/") for key in site.content())


def list_deployments(request: Request) -> set[str]:
    """Return the names of the deployments from which a request deletes objects."""
    return {key.partition("/")[0] for key in request.batch_keys}
