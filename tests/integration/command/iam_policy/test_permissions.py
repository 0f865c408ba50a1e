"""The printed policy is sufficient, and each of its actions is necessary."""

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

ALLOW_ALL = {"Version": "2012-10-17",
       "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}  # fmt: skip
KEEP_2 = ["--keep-count", "2", "--match", ".*"]


@dataclass(kw_only=True)
class PolicyTester:
    """A bucket in memory behind an IAM proxy, and commands under a policy."""

    capsys: pytest.CaptureFixture[str]
    site: MemorySite = field(default_factory=MemorySite)
    iam: IamProxy = field(init=False)
    applied: dict[bool, object] = field(default_factory=dict)
    """The saved bucket after an apply, by whether versioning was suspended."""

    def __post_init__(self) -> None:
        self.iam = IamProxy(self.site.answer, ALLOW_ALL)

    def fill_bucket(self, *, is_versioned: bool) -> None:
        """Create four deployments (two to delete), an incomplete deployment and an upload."""
        self.site.restore_bucket(MemorySite().save_bucket())
        if is_versioned:
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

    def ci3(self, *argv: str, policy: dict = ALLOW_ALL) -> tuple[int, str]:
        """Run the command under a policy; return its exit code and stdout."""
        self.iam.policy = policy
        self.capsys.readouterr()
        code = main([*argv])
        self.iam.policy = ALLOW_ALL
        return code, self.capsys.readouterr().out

    def read_bucket(self) -> object:
        """Return the versions and keys outside of .ci3/, and the uploads."""
        versions = [(key, *rest) for key, *rest in self.site.versions() if ".ci3/" not in key]
        keys = {key for key in self.site.content() if ".ci3/" not in key}
        return versions, keys, self.site.uploads()

    def read_journals(self) -> dict[str, str]:
        """Return the text of the journal parts in the bucket, by key."""
        return {key: body.decode() for key, (body, *_) in self.site.content().items()
                if ".ci3/journals/" in key and key.endswith(".jsonl")}  # fmt: skip


@pytest.fixture
def tester(capsys) -> Iterator[PolicyTester]:
    tester = PolicyTester(capsys=capsys)

    def handle(request: Request):
        return tester.iam.handle(request)

    tester.iam.ignores_probes = False
    with intercept_requests(handle):
        yield tester


def list_options(tester: PolicyTester) -> list[str]:
    return [*tester.site.options(), "--prefix", "app"]


def plan(tester: PolicyTester, policy: Mapping, settings: list[str]) -> Iterator[object]:
    tester.fill_bucket(is_versioned=True)
    if "--inventory" in settings:
        report_of(tester.site).deliver(tester.site)
    code, out = tester.ci3(
        "plan-cleanup", *list_options(tester), *KEEP_2, *settings, "--output", "json", policy=policy
    )
    output = json.loads(out) if out else {}
    yield code, [output.get(name) for name in ("target", "refusals", "warnings", "totals")]


def apply(
    tester: PolicyTester, policy: Mapping, settings: list[str], *, is_versioned: bool = True
) -> Iterator[object]:
    tester.fill_bucket(is_versioned=is_versioned)
    yield from apply_to_bucket(tester, policy, settings)


def apply_to_bucket(tester: PolicyTester, policy: Mapping, settings: list[str]) -> Iterator[object]:
    """Apply; yield exit code, output, what remains, and the number of versions in the journal."""
    code, out = tester.ci3(
        "cleanup", *list_options(tester), *KEEP_2, *settings, "--auto-approve", policy=policy
    )
    lines = re.sub(r"\d+-\d+-\d+ [\d:]+|\d{8}T\d{6}Z-\w+", "", out).splitlines()
    version_counts = [
        len(re.findall(r'"v\d{8}"', text)) for text in tester.read_journals().values()
    ]
    yield code, lines, tester.read_bucket(), sum(version_counts)


def apply_on_both(tester: PolicyTester, policy: Mapping, settings: list[str]) -> Iterator[object]:
    """Apply to a versioned bucket and to one without versions."""
    for is_versioned in (True, False):
        yield from apply(tester, policy, settings, is_versioned=is_versioned)


def lifecycle(tester: PolicyTester, policy: Mapping, settings: list[str]) -> Iterator[object]:
    """Write lifecycle rules, delete deployments that are too young for them, and remove a rule."""
    tester.fill_bucket(is_versioned=True)
    for days in (3, 2, 1):
        tester.site.deploy(f"app/young-{days}", days=days)
    settings = [*settings, "--engine", "lifecycle"]
    yield from apply_to_bucket(tester, policy, settings)
    yield len(rule_ids(tester.site.lifecycle))
    tester.site.deploy("app/site-0", days=0.5)
    yield from apply_to_bucket(tester, policy, settings)
    yield len(rule_ids(tester.site.lifecycle))


def restore(tester: PolicyTester, policy: Mapping, settings: list[str]) -> Iterator[object]:
    """Restore, also with delete markers that are called `null` as versioning was suspended."""
    for is_suspended in (False, True):
        if is_suspended not in tester.applied:
            tester.fill_bucket(is_versioned=True)
            if is_suspended:
                tester.site.suspend_versioning()
            [_] = apply_to_bucket(tester, ALLOW_ALL, settings)
            tester.site.enable_versioning()
            tester.applied[is_suspended] = tester.site.save_bucket()
        tester.site.restore_bucket(tester.applied[is_suspended])
        folder = next(iter(tester.read_journals())).rpartition("/")[0]
        argv = ["--endpoint-url", tester.site.endpoint_url, "--auto-approve", "--output", "json"]
        code, out = tester.ci3(
            "restore", f"s3://{tester.site.name}/{folder}/", *argv, policy=policy
        )
        result = json.loads(out) if out else {}
        problems = len(result.get("notes", ())), bool(result.get("record-problem"))
        yield code, problems, tester.read_bucket()


POINTER = ["--live-from", "object:live.txt"]
STORED = ["--journal-file", "s3://"]
CASES: dict[str, tuple[str, Callable, list[str]]] = {
    "plan": ("plan", plan, POINTER),
    "plan with versions": ("plan", plan, ["--delete-versions"]),
    "plan by report": ("plan", plan, ["--inventory", f"s3://site/{MANIFEST}"]),
    "plan by the newest report": ("plan", plan, ["--inventory", f"s3://site/{FOLDER}"]),
    "apply": ("apply", apply, STORED),
    "apply with versions": ("apply", apply_on_both, ["--delete-versions"]),
    "restore": ("restore", restore, STORED),
    "lifecycle": ("lifecycle", lifecycle, STORED),
}


def print_policy(tester: PolicyTester, purpose: str, *settings: str) -> dict:
    target = ["--bucket-name", tester.site.name, "--prefix", "app"]
    code, out = tester.ci3("iam-policy", purpose, *target, *settings)
    assert code == ExitCode.DONE
    return json.loads(out)


def omit_each_action(policy: Mapping) -> Iterator[tuple[str, dict]]:
    for number, statement in enumerate(policy["Statement"]):
        for action in statement["Action"] if statement["Effect"] == "Allow" else ():
            reduced_policy = deepcopy(policy)
            reduced_policy["Statement"][number]["Action"].remove(action)
            yield f"{statement['Sid']}: {action}", reduced_policy


@pytest.mark.parametrize("name", CASES)
def test_printed_policy_is_sufficient_and_each_action_is_necessary(tester: PolicyTester, name: str):
    purpose, run_commands, settings = CASES[name]
    policy = print_policy(tester, purpose, *settings)
    expected = [*run_commands(tester, ALLOW_ALL, settings)]
    assert all(outcome[0] == ExitCode.DONE for outcome in expected if isinstance(outcome, tuple))
    assert [*run_commands(tester, policy, settings)] == expected
    assert tester.iam.denied == []
    unnecessary = [
        action
        for action, reduced_policy in omit_each_action(policy)
        if all(
            outcome == expected_outcome
            for outcome, expected_outcome in zip(
                run_commands(tester, reduced_policy, settings), expected, strict=True
            )
        )
    ]
    assert unnecessary == []


def test_policy_that_requires_conditions_allows_only_conditional_deletes(
    tester: PolicyTester,
) -> None:
    policy = print_policy(tester, "apply", "--insist-on-conditions")
    [(code, _, (_, keys, _), _)] = apply(tester, policy, [])
    assert code == ExitCode.DONE
    assert not any("site-0" in key for key in keys)
    key = "arn:aws:s3:::site/app/site-3/x"
    assert not is_allowed(policy, RequiredPermission(action="s3:DeleteObject", resource=key))
    assert is_allowed(
        print_policy(tester, "apply"), RequiredPermission(action="s3:DeleteObject", resource=key)
    )


def test_policy_that_requires_conditions_denies_a_batch_without_them(
    tester: PolicyTester,
) -> None:
    tester.site.set_conditional_deletes(yes=False)
    [(code, _, (_, keys, _), _)] = apply(
        tester, print_policy(tester, "apply", "--insist-on-conditions"), []
    )
    assert code == ExitCode.PARTIAL
    assert {key for key in keys if "site-0" in key}


def test_deletion_of_protected_deployments_and_journals_is_denied(tester: PolicyTester):
    """The policy denies them even if the workflow no longer sets `protect`."""
    policy = print_policy(tester, "apply", "--protect", "site-[0x]", "--delete-versions")
    [(code, _, (_, keys, _), _)] = apply(tester, policy, [])
    assert code == ExitCode.PARTIAL
    assert {key.split("/")[1] for key in keys if key.startswith("app/site")} == {
        "site-0", "site-1", "site-2", "site-3"}  # fmt: skip
    for key in ("app/.ci3/journals/r/1.jsonl", "app/site-x/a", "app/robots.txt", "other/x/file"):
        for action in ("s3:DeleteObject", "s3:DeleteObjectVersion"):
            permission = RequiredPermission(action=action, resource=f"arn:aws:s3:::site/{key}")
            assert not is_allowed(policy, permission), permission


def test_printed_policy_denies_listing_other_prefixes(tester: PolicyTester) -> None:
    policy = print_policy(tester, "plan")
    code, _ = tester.ci3("list-deployments", *tester.site.options(), "--prefix", "other",
                        policy=policy)  # fmt: skip
    assert code == ExitCode.ACCESS
    assert tester.iam.denied[0].action == "s3:ListBucket"
