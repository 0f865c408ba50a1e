"""The printed policy is what ci3 needs: all of it, and nothing that it could do without."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

import pytest

from ci3.cli.main import main
from ci3.errors import ExitCode
from tests.support.s3.fault_proxy import Request
from tests.support.s3.iam import IamProxy, RequiredPermission, is_allowed
from tests.support.s3.inventory_reports import FOLDER, MANIFEST, report_of
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite, intercept_requests

ALL = {"Version": "2012-10-17",
       "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}  # fmt: skip
RULES = ["--keep-count", "2", "--match", ".*"]


@dataclass(kw_only=True)
class World:
    """A bucket in memory behind IAM, and the command's output."""

    capsys: pytest.CaptureFixture[str]
    site: MemorySite = field(default_factory=MemorySite)
    iam: IamProxy = field(init=False)
    applied: dict[bool, object] = field(default_factory=dict)
    """The bucket after an apply, by whether versioning was suspended."""

    def __post_init__(self) -> None:
        self.iam = IamProxy(self.site.answer, ALL)

    def furnish(self, *, versioned: bool) -> None:
        """Make the bucket anew: four deployments, two to delete, an incomplete one, an upload."""
        self.site.restore_bucket(MemorySite().save_bucket())
        if versioned:
            self.site.enable_versioning()
        for number in range(4):
            self.site.deploy(f"app/site-{number}", days=100 - 10 * number)
        for key in ("app/robots.txt", "other/x/file", "top.txt"):
            self.site.put(key, days=200)
        self.site.put("live.txt", body=b"site-3")
        record = {"restored_at": "2099-01-01T00:00:00Z", "names": ["site-0"]}
        self.site.put("app/.ci3/restored/1.json", body=json.dumps(record).encode())
        self.site.begin_upload("app/site-0/big.bin", days=2)
        self.site.put("app/begun/", days=150, body=b"")  # incomplete: uploads are listed for it

    def ci3(self, *argv: str, policy: dict = ALL) -> tuple[int, str]:
        """Run the command under a policy; give its exit code and what it printed."""
        self.iam.policy = policy
        self.capsys.readouterr()
        code = main([*argv])
        self.iam.policy = ALL
        return code, self.capsys.readouterr().out

    def left(self) -> object:
        versions = [one for one in self.site.versions() if ".ci3/" not in one[0]]
        return (
            versions,
            {one for one in self.site.content() if ".ci3/" not in one},
            self.site.uploads(),
        )

    def journals(self) -> dict[str, str]:
        """The parts of journals that are stored in the bucket."""
        return {key: body.decode() for key, (body, *_) in self.site.content().items()
                if ".ci3/journals/" in key and key.endswith(".jsonl")}  # fmt: skip


@pytest.fixture
def world(capsys) -> Iterator[World]:
    world = World(capsys=capsys)

    def ask(request: Request):
        return world.iam.handle(request)

    world.iam.ignores_probes = False
    with intercept_requests(ask):
        yield world


def on_site(world: World) -> list[str]:
    return [*world.site.options(), "--prefix", "app"]


def plan(world: World, policy: Mapping, settings: list[str]) -> Iterator[object]:
    world.furnish(versioned=True)
    if "--inventory" in settings:
        report_of(world.site).deliver(world.site)
    code, out = world.ci3(
        "plan-cleanup", *on_site(world), *RULES, *settings, "--output", "json", policy=policy
    )
    told = json.loads(out) if out else {}
    yield code, [told.get(name) for name in ("target", "refusals", "warnings", "totals")]


def apply(
    world: World, policy: Mapping, settings: list[str], *, versioned: bool = True
) -> Iterator[object]:
    world.furnish(versioned=versioned)
    yield from apply_here(world, policy, settings)


def apply_here(world: World, policy: Mapping, settings: list[str]) -> Iterator[object]:
    """Apply; what counts is what was told and is left, and whether the journal knows versions."""
    code, out = world.ci3(
        "cleanup", *on_site(world), *RULES, *settings, "--auto-approve", policy=policy
    )
    told = re.sub(r"\d+-\d+-\d+ [\d:]+|\d{8}T\d{6}Z-\w+", "", out).splitlines()
    known = [len(re.findall(r'"v\d{8}"', text)) for text in world.journals().values()]
    yield code, told, world.left(), sum(known)


def apply_on_both(world: World, policy: Mapping, settings: list[str]) -> Iterator[object]:
    """Apply on a bucket that keeps versions, and on one that does not."""
    for versioned in (True, False):
        yield from apply(world, policy, settings, versioned=versioned)


def lifecycle(world: World, policy: Mapping, settings: list[str]) -> Iterator[object]:
    """Leave what is old enough to S3, delete what is not, and then take a rule away."""
    world.furnish(versioned=True)
    for days in (3, 2, 1):
        world.site.deploy(f"app/young-{days}", days=days)
    settings = [*settings, "--engine", "lifecycle"]
    yield from apply_here(world, policy, settings)
    yield len(rule_ids(world.site.lifecycle))
    world.site.deploy("app/site-0", days=0.5)
    yield from apply_here(world, policy, settings)
    yield len(rule_ids(world.site.lifecycle))


def restore(world: World, policy: Mapping, settings: list[str]) -> Iterator[object]:
    """Restore; also where the run's markers are called `null`, since versioning was suspended."""
    for suspended in (False, True):
        if suspended not in world.applied:
            world.furnish(versioned=True)
            if suspended:
                world.site.suspend_versioning()
            [_] = apply_here(world, ALL, settings)
            world.site.enable_versioning()
            world.applied[suspended] = world.site.save_bucket()
        world.site.restore_bucket(world.applied[suspended])
        place = next(iter(world.journals())).rpartition("/")[0]
        argv = ["--endpoint-url", world.site.endpoint_url, "--auto-approve", "--output", "json"]
        code, out = world.ci3("restore", f"s3://{world.site.name}/{place}/", *argv, policy=policy)
        result = json.loads(out) if out else {}
        problems = len(result.get("notes", ())), bool(result.get("record-problem"))
        yield code, problems, world.left()


POINTER = ["--live-from", "object:live.txt"]
STORED = ["--journal-file", "s3://"]
ROADS: dict[str, tuple[str, Callable, list[str]]] = {
    "plan": ("plan", plan, POINTER),
    "plan with versions": ("plan", plan, ["--delete-versions"]),
    "plan by report": ("plan", plan, ["--inventory", f"s3://site/{MANIFEST}"]),
    "plan by the newest report": ("plan", plan, ["--inventory", f"s3://site/{FOLDER}"]),
    "apply": ("apply", apply, STORED),
    "apply with versions": ("apply", apply_on_both, ["--delete-versions"]),
    "restore": ("restore", restore, STORED),
    "lifecycle": ("lifecycle", lifecycle, STORED),
}


def printed(world: World, purpose: str, *settings: str) -> dict:
    place = ["--bucket-name", world.site.name, "--prefix", "app"]
    code, out = world.ci3("iam-policy", purpose, *place, *settings)
    assert code == ExitCode.DONE
    return json.loads(out)


def with_one_action_less(policy: Mapping) -> Iterator[tuple[str, dict]]:
    for number, statement in enumerate(policy["Statement"]):
        for one in statement["Action"] if statement["Effect"] == "Allow" else ():
            less = deepcopy(policy)
            less["Statement"][number]["Action"].remove(one)
            yield f"{statement['Sid']}: {one}", less


@pytest.mark.parametrize("name", ROADS)
def test_printed_policy_is_enough_and_no_action_of_it_can_be_spared(world: World, name: str):
    purpose, road, settings = ROADS[name]
    policy = printed(world, purpose, *settings)
    whole = [*road(world, ALL, settings)]
    assert all(one[0] == ExitCode.DONE for one in whole if isinstance(one, tuple))
    assert [*road(world, policy, settings)] == whole
    assert world.iam.denied == []
    spared = [
        what
        for what, less in with_one_action_less(policy)
        if all(one == other for one, other in zip(road(world, less, settings), whole, strict=True))
    ]
    assert spared == []


def test_insisting_on_conditions_is_no_hindrance_and_denies_all_else(world: World) -> None:
    insisting = printed(world, "apply", "--insist-on-conditions")
    [(code, _, (_, keys, _), _)] = apply(world, insisting, [])
    assert code == ExitCode.DONE
    assert not any("site-0" in key for key in keys)
    key = "arn:aws:s3:::site/app/site-3/x"
    assert not is_allowed(insisting, RequiredPermission(action="s3:DeleteObject", resource=key))
    assert is_allowed(
        printed(world, "apply"), RequiredPermission(action="s3:DeleteObject", resource=key)
    )


def test_batch_without_conditions_is_denied_where_they_are_insisted_on(world: World) -> None:
    world.site.set_conditional_deletes(yes=False)
    [(code, _, (_, keys, _), _)] = apply(
        world, printed(world, "apply", "--insist-on-conditions"), []
    )
    assert code == ExitCode.PARTIAL
    assert {one for one in keys if "site-0" in one}


def test_protected_deployments_and_journals_are_denied_whatever_else_is_allowed(world: World):
    """Also where the settings of the workflow have lost the protection that the policy has."""
    policy = printed(world, "apply", "--protect", "site-[0x]", "--delete-versions")
    [(code, _, (_, keys, _), _)] = apply(world, policy, [])
    assert code == ExitCode.PARTIAL
    assert {key.split("/")[1] for key in keys if key.startswith("app/site")} == {
        "site-0", "site-1", "site-2", "site-3"}  # fmt: skip
    for key in ("app/.ci3/journals/r/1.jsonl", "app/site-x/a", "app/robots.txt", "other/x/file"):
        for action in ("s3:DeleteObject", "s3:DeleteObjectVersion"):
            need = RequiredPermission(action=action, resource=f"arn:aws:s3:::site/{key}")
            assert not is_allowed(policy, need), need


def test_other_prefixes_can_not_be_listed_by_the_printed_policy(world: World) -> None:
    policy = printed(world, "plan")
    code, _ = world.ci3("list-deployments", *world.site.options(), "--prefix", "other",
                        policy=policy)  # fmt: skip
    assert code == ExitCode.ACCESS
    assert world.iam.denied[0].action == "s3:ListBucket"
