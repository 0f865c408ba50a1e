"""What is half deleted, by another shard or by a run that was killed, lets nothing else go."""

import pytest

from ci3.cli import main
from ci3.core.account import Account
from ci3.core.model import Outcome
from ci3.core.parting import cut
from ci3.core.shards import Shard
from ci3.run import open_run
from tests.crash import crash, resume, small_batches
from tests.engine.road import cleanup
from tests.fault_proxy import FaultProxy
from tests.memory_site import MemorySite, running_site
from tests.s3 import Bucket


@pytest.fixture
def empty():
    with running_site() as site:
        yield site


def remove(site: MemorySite | Bucket, name: str, files: int) -> None:
    """Take away the first files of a deployment."""
    for number in range(files):
        site.remove(f"{name}/file-{number:05}")


def apply_second(site: MemorySite, meanwhile, **settings: str) -> Account:
    """Plan `b` and `a` to go, `b` to the first shard of two; apply the second after something."""
    site.deploy("new", days=1)
    site.deploy("b", days=10, files=6)
    site.deploy("a", days=20, files=5)
    one = cleanup(site, **settings)
    plan = one.make_plan(one.open_bucket())
    (second,) = cut([plan], Shard(number=2, count=2))
    assert [one.deployment.name for one in second.doomed] == ["a"]
    meanwhile()
    run = open_run([cleanup(site, shard="2/2", **settings)], [plan])
    (account,) = run.apply(run.reconcile(run.make_plans()), is_fresh=False)
    return account


@pytest.mark.parametrize("files", [0, 1, 3, 5, 6])
@pytest.mark.parametrize("age_from", ["span", "first-object"])
@pytest.mark.parametrize("skips", ["false", "true"])
def test_shard_does_not_go_by_what_another_is_deleting(empty, files, age_from, skips):
    def meanwhile() -> None:
        remove(empty, "b", files)
        remove(empty, "new", 3)  # a bad release that somebody takes back by hand

    account = apply_second(empty, meanwhile, age_from=age_from, skip_changed=skips)

    assert len([key for key in sorted(empty.keys()) if key.startswith("a/")]) == 5
    assert (account.is_stale, account.result is not None) == (skips == "false", skips == "true")


@pytest.mark.parametrize("files", [0, 1, 3, 5, 6])
@pytest.mark.parametrize("age_from", ["span", "first-object"])
def test_what_another_shard_is_deleting_is_else_no_obstacle(empty, files, age_from):
    account = apply_second(empty, lambda: remove(empty, "b", files), age_from=age_from)

    assert account.outcome is Outcome.APPLIED
    assert not [key for key in sorted(empty.keys()) if key.startswith("a/")]


@pytest.fixture
def killed(site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """`old-1` is half deleted by a run that was killed; `old-2` was to go next."""
    small_batches(monkeypatch)
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.deploy("old-2", days=20)
    crash(site, proxy, 1, is_done=True)
    return site


def test_resumed_run_does_not_go_by_what_it_has_half_deleted(killed: Bucket, capsys) -> None:
    remove(killed, "new", 3)

    assert resume() == 3

    assert killed.folders() == {"old-1", "old-2"}
    assert len([key for key in killed.content() if key.startswith("old-2/")]) == 3


def test_resumed_shard_does_not_go_by_what_another_is_deleting(
    empty: MemorySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    empty.deploy("new", days=1)
    empty.deploy("b", days=10, files=6)
    empty.deploy("a", days=20, files=5)
    plan = ["--plan-file", "plan.json"]
    assert main(["plan-cleanup", *empty.options(), "--keep-count", "1", *plan]) == 0
    expired = "<Error><Code>ExpiredToken</Code><Message>over</Message></Error>"
    empty.proxy.answer("POST", r"\?delete", expired, status=400, nth=1)
    journal = ["--journal-file", "j.jsonl"]
    assert main(["cleanup", *plan, "--shard", "2/2", "--auto-approve", *journal]) == 3
    empty.proxy.forget_rules()
    remove(empty, "b", 3)
    remove(empty, "new", 3)

    assert resume(path="j-2of2.jsonl") == 3

    assert len([key for key in sorted(empty.keys()) if key.startswith("a/")]) == 3
