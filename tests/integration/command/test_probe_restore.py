"""`ci3 doctor --probe-restore`: its findings on each kind of store; nothing remains in it."""

import json
from collections.abc import Callable, Iterator

import pytest

from ci3.cli.main import main
from ci3.constants import RESTORE_PROBE_KEY_PREFIX
from ci3.errors import ExitCode
from tests.support.s3.fault_proxy import Answer, Request
from tests.support.s3.iam import IamProxy
from tests.support.s3.memory_listings import Version
from tests.support.s3.memory_site import MemorySite, intercept_requests, running_site

DENIED = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
PROBE_KEY = RESTORE_PROBE_KEY_PREFIX
WRITE_METHODS = ("DELETE", "DELETE", "DELETE", "PUT", "DELETE", "DELETE", "DELETE")
"""The write requests of a probe without faults."""
LAST_WRITE = ("DELETE", WRITE_METHODS.count("DELETE"))

each_write = pytest.mark.parametrize(
    ("method", "number"),
    [
        (method, number)
        for method in ("PUT", "DELETE")
        for number in range(1, WRITE_METHODS.count(method) + 1)
    ],
)


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def site() -> Iterator[MemorySite]:
    with running_site() as site:
        site.enable_versioning()
        for number in range(3):
            site.deploy(f"site-{number}", days=10 - number)
        yield site


@pytest.fixture
def examine(site: MemorySite, capsys) -> Callable[..., tuple[int, dict[str, dict], str]]:
    """Return a function that runs the command: exit code, findings by topic, stderr."""

    def examine(*argv: str) -> tuple[int, dict[str, dict], str]:
        capsys.readouterr()
        code = main(["doctor", *site.options(), "--output", "json", *argv])
        captured = capsys.readouterr()
        findings = json.loads(captured.out)["findings"] if captured.out else []
        return code, {finding["topic"]: finding for finding in findings}, captured.err

    return examine


def copy_versions(site: MemorySite) -> dict[str, list[Version]]:
    return {key: [*versions] for key, versions in site._bucket.versions.items()}


def list_writes(site: MemorySite) -> list[Request]:
    return [request for request in site.proxy.requests if request.is_write]


def test_store_that_can_restore_is_reported_and_nothing_remains(
    site: MemorySite, examine, assert_screen
) -> None:
    before = copy_versions(site)
    code, findings, _ = examine("--probe-restore")
    assert (code, findings["restore"]["level"]) == (ExitCode.DONE, "ok")
    assert findings["versioning"]["level"] == "note"
    assert_screen(findings["versioning"]["message"])
    assert copy_versions(site) == before
    assert tuple(request.method for request in list_writes(site)) == WRITE_METHODS
    keys = {request.target.partition("?")[0] for request in list_writes(site)}
    assert len(keys) == 1
    assert next(iter(keys)).startswith(f"/{site.name}/{PROBE_KEY}")


def test_each_probe_uses_a_new_key_under_the_prefix(site: MemorySite, examine) -> None:
    for _ in range(2):
        assert examine("--probe-restore", "--prefix", "app")[0] == ExitCode.DONE
    keys = {request.target.partition("?")[0] for request in list_writes(site)}
    assert len(keys) == 2
    assert all(key.startswith(f"/{site.name}/app/{PROBE_KEY}") for key in keys)


def test_store_like_swift_is_reported_and_nothing_remains(
    site: MemorySite, examine, assert_screen
) -> None:
    before = copy_versions(site)
    site.behave_like_swift()
    code, findings, _ = examine("--probe-restore")
    assert (code, findings["restore"]["level"]) == (ExitCode.REFUSED, "problem")
    assert_screen(findings["restore"]["message"], "restore")
    assert_screen(findings["versioning"]["message"], "versioning")
    assert copy_versions(site) == before


@pytest.mark.parametrize("state", ["", "Suspended"])
def test_bucket_that_keeps_no_new_versions_is_not_written_to(
    site: MemorySite, examine, state: str, assert_screen
) -> None:
    site._bucket.versioning = state
    code, findings, _ = examine("--probe-restore")
    assert (code, findings["restore"]["level"]) == (ExitCode.REFUSED, "problem")
    assert_screen(findings["restore"]["message"])
    assert list_writes(site) == []


def test_bucket_with_mfa_delete_is_not_written_to(site: MemorySite, examine) -> None:
    site._bucket.needs_mfa = True
    assert examine("--probe-restore")[0] == ExitCode.REFUSED
    assert list_writes(site) == []


def test_without_the_option_nothing_is_written(site: MemorySite, examine, assert_screen) -> None:
    code, findings, _ = examine()
    assert (code, findings["restore"]["level"], list_writes(site)) == (ExitCode.DONE, "note", [])
    assert "--probe-restore" in findings["restore"]["advice"]
    assert_screen(findings["versioning"]["message"])


@each_write
@pytest.mark.parametrize("fault", ["500", "dropped", "lost", "denied"])
def test_failed_request_leaves_nothing_in_the_bucket(
    site: MemorySite, examine, method: str, fault: str, number: int
) -> None:
    before = copy_versions(site)
    pattern = PROBE_KEY
    match fault:
        case "500":
            site.proxy.answer(method, pattern, "<Error/>", status=500, nth=number)
        case "denied":
            site.proxy.answer(method, pattern, DENIED, status=403, nth=number)
        case "dropped":
            site.proxy.drop(method, pattern, nth=number, is_forwarded=False)
        case "lost":
            site.proxy.drop(method, pattern, nth=number)
    code, _, _ = examine("--probe-restore")
    # A denied request is not sent again, except the removal of the last version.
    is_denied = fault == "denied" and (method, number) != LAST_WRITE
    assert code == (ExitCode.ACCESS if is_denied else ExitCode.DONE)
    assert copy_versions(site) == before


@each_write
def test_object_that_remains_when_requests_keep_failing_is_reported(
    site: MemorySite, examine, method: str, number: int
) -> None:
    keys_before = {*site._bucket.versions}
    requests: list[Request] = []

    def fail_from_number_on(request: Request) -> Answer:
        requests.append(request)
        return site.answer(request) if len(requests) < number else Answer(status=503, body=b"")

    site.proxy.answer_with(method, PROBE_KEY, fail_from_number_on)
    code, findings, _ = examine("--probe-restore")
    is_restore_tested = (method, number) == LAST_WRITE
    assert code == (ExitCode.DONE if is_restore_tested else ExitCode.REFUSED)
    remaining_keys = {*site._bucket.versions} - keys_before
    # The first two deletions are of a key that does not exist; the second creates a marker.
    assert len(remaining_keys) == (method == "DELETE" and number > 2)
    topic = "leftover" if is_restore_tested else "restore"
    assert all(
        f"{key} could not be removed" in findings[topic]["message"] for key in remaining_keys
    )


@pytest.mark.parametrize("number", range(1, 9))
def test_interrupt_at_any_request_leaves_nothing_in_the_bucket(
    site: MemorySite, examine, number: int
) -> None:
    before = copy_versions(site)
    probe_requests: list[Request] = []

    def interrupt(request: Request) -> None:
        if PROBE_KEY in request.target:
            probe_requests.append(request)
            if len(probe_requests) == number:
                raise KeyboardInterrupt

    site.proxy.on_request = interrupt
    code, _, _ = examine("--probe-restore")
    site.proxy.failures.clear()
    assert code == ExitCode.INTERRUPTED
    assert copy_versions(site) == before


def test_object_that_cannot_be_removed_is_reported(site: MemorySite, examine) -> None:
    deletions: list[Request] = []

    def deny_after_third(request: Request) -> str | Answer:
        deletions.append(request)
        is_denied = len(deletions) > 3 and "versionId" in request.target
        return Answer(status=403, body=DENIED.encode()) if is_denied else site.answer(request)

    site.proxy.answer_with("DELETE", PROBE_KEY, deny_after_third)
    code, findings, _ = examine("--probe-restore")
    remaining = [key for key in site._bucket.versions if PROBE_KEY in key]
    assert (code, len(remaining)) == (ExitCode.ACCESS, 1)
    assert f"{remaining[0]} could not be removed" in findings["restore"]["message"]


# Permissions.


@pytest.fixture
def probe_with_policy(capsys) -> Iterator[Callable[[dict], tuple[int, MemorySite, IamProxy]]]:
    """Return a function that probes with a policy: exit code, bucket and IAM."""
    site = MemorySite()
    site.enable_versioning()
    site.deploy("app/site-1", days=1)
    iam = IamProxy(site.answer, {})

    def probe(policy: dict) -> tuple[int, MemorySite, IamProxy]:
        iam.policy = policy
        argv = ["doctor", *site.options(), "--prefix", "app", "--probe-restore"]
        code = main(argv)
        capsys.readouterr()
        return code, site, iam

    with intercept_requests(iam.handle):
        yield probe


def print_policy(capsys, purpose: str) -> dict:
    capsys.readouterr()
    assert main(["iam-policy", purpose, "--bucket", "site", "--prefix", "app"]) == ExitCode.DONE
    return json.loads(capsys.readouterr().out)


def test_printed_policy_allows_the_probe_and_only_its_keys(probe_with_policy, capsys) -> None:
    policy = print_policy(capsys, "probe-restore")
    code, site, _ = probe_with_policy(policy)
    assert code == ExitCode.DONE
    assert {key for key, _ in site.versions()} == {f"app/site-1/file-0000{n}" for n in range(3)}
    [statement] = [item for item in policy["Statement"] if item["Sid"] == "ProbeRestore"]
    assert statement["Resource"] == [f"arn:aws:s3:::site/app/{PROBE_KEY}*"]
    assert {*statement["Action"]} == {
        "s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"}  # fmt: skip


@pytest.mark.parametrize(
    "action",
    ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion",
     "s3:ListBucketVersions"],
)  # fmt: skip
def test_probe_without_a_permission_fails_and_leaves_nothing(
    probe_with_policy, capsys, action: str
) -> None:
    policy = print_policy(capsys, "probe-restore")
    for statement in policy["Statement"]:
        statement["Action"] = [name for name in statement["Action"] if name != action]
    code, site, _ = probe_with_policy(policy)
    assert code == ExitCode.ACCESS
    assert not [key for key, _ in site.versions() if ".ci3/" in key]
