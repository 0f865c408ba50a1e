"""`ci3 doctor --probe-restore`: what it finds on stores of each kind, and that nothing is left."""

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


def stored(site: MemorySite) -> dict[str, list[Version]]:
    return {key: [*versions] for key, versions in site._bucket.versions.items()}


def probe_writes(site: MemorySite) -> list[Request]:
    return [request for request in site.proxy.requests if request.is_write]


def test_store_that_restores_is_found_and_nothing_is_left(
    site: MemorySite, examine, assert_screen
) -> None:
    before = stored(site)
    code, found, _ = examine("--probe-restore")
    assert (code, found["restore"]["level"]) == (ExitCode.DONE, "ok")
    assert found["versioning"]["level"] == "note"
    assert_screen(found["versioning"]["message"])
    assert stored(site) == before
    keys = {request.target.partition("?")[0] for request in probe_writes(site)}
    assert len(keys) == 1
    assert next(iter(keys)).startswith(f"/{site.name}/{PROBE_KEY}")


def test_probe_stays_under_the_prefix_and_uses_a_name_of_its_own(site: MemorySite, examine) -> None:
    for _ in range(2):
        assert examine("--probe-restore", "--prefix", "app")[0] == ExitCode.DONE
    keys = {request.target.partition("?")[0] for request in probe_writes(site)}
    assert len(keys) == 2
    assert all(key.startswith(f"/{site.name}/app/{PROBE_KEY}") for key in keys)


def test_store_like_swift_is_found_and_nothing_is_left(
    site: MemorySite, examine, assert_screen
) -> None:
    before = stored(site)
    site.behave_like_swift()
    code, found, _ = examine("--probe-restore")
    assert (code, found["restore"]["level"]) == (ExitCode.REFUSED, "problem")
    assert_screen(found["restore"]["message"], "restore")
    assert_screen(found["versioning"]["message"], "versioning")
    assert stored(site) == before


@pytest.mark.parametrize("state", ["", "Suspended"])
def test_bucket_that_keeps_no_new_versions_is_not_written_to(
    site: MemorySite, examine, state: str, assert_screen
) -> None:
    site._bucket.versioning = state
    code, found, _ = examine("--probe-restore")
    assert (code, found["restore"]["level"]) == (ExitCode.REFUSED, "problem")
    assert_screen(found["restore"]["message"])
    assert probe_writes(site) == []


def test_bucket_with_mfa_delete_is_not_written_to(site: MemorySite, examine) -> None:
    site._bucket.needs_mfa = True
    assert examine("--probe-restore")[0] == ExitCode.REFUSED
    assert probe_writes(site) == []


def test_without_the_option_nothing_is_written(site: MemorySite, examine, assert_screen) -> None:
    code, found, _ = examine()
    assert (code, found["restore"]["level"], probe_writes(site)) == (ExitCode.DONE, "note", [])
    assert "--probe-restore" in found["restore"]["advice"]
    assert_screen(found["versioning"]["message"])


@pytest.mark.parametrize("number", range(1, 4))
@pytest.mark.parametrize("fault", ["500", "dropped", "lost", "denied"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_request_that_fails_leaves_nothing_behind(
    site: MemorySite, examine, method: str, fault: str, number: int
) -> None:
    before = stored(site)
    pattern = PROBE_KEY
    match fault:
        case "500":
            site.proxy.answer(method, pattern, "<Error/>", status=500, nth=number)
        case "denied":
            site.proxy.answer(method, pattern, DENIED, status=403, nth=number)
        case "dropped":
            site.proxy.answer_with(method, pattern, lambda _: Answer(status=503, body=b""))
        case "lost":
            site.proxy.drop(method, pattern, nth=number)
    code, found, _ = examine("--probe-restore")
    if fault == "dropped":
        assert code != ExitCode.DONE
    left = {key: versions for key, versions in stored(site).items() if key not in before}
    told = json.dumps(found)
    assert not left or all(key in told for key in left)
    if fault != "dropped":
        assert not left


@pytest.mark.parametrize("number", range(1, 9))
def test_interrupt_at_any_request_leaves_nothing_behind(
    site: MemorySite, examine, number: int
) -> None:
    before = stored(site)
    arrived: list[Request] = []

    def interrupt(request: Request) -> None:
        if PROBE_KEY in request.target:
            arrived.append(request)
            if len(arrived) == number:
                raise KeyboardInterrupt

    site.proxy.on_request = interrupt
    code, _, _ = examine("--probe-restore")
    site.proxy.failures.clear()
    assert code == ExitCode.INTERRUPTED
    assert stored(site) == before


def test_what_cannot_be_removed_is_named(site: MemorySite, examine) -> None:
    number = [0]

    def deny_after_the_first(request: Request) -> str | Answer:
        number[0] += 1
        is_after = number[0] > 3 and "versionId" in request.target
        return Answer(status=403, body=DENIED.encode()) if is_after else site.answer(request)

    site.proxy.answer_with("DELETE", PROBE_KEY, deny_after_the_first)
    code, found, _ = examine("--probe-restore")
    left = [key for key in site._bucket.versions if PROBE_KEY in key]
    assert (code, len(left)) == (ExitCode.ACCESS, 1)
    assert left[0] in found["restore"]["message"]


# Permissions.


@pytest.fixture
def allowed(capsys) -> Iterator[Callable[[dict], tuple[int, MemorySite, IamProxy]]]:
    """Return a function that probes under a policy."""
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


def printed_policy(capsys, purpose: str) -> dict:
    capsys.readouterr()
    assert main(["iam-policy", purpose, "--bucket", "site", "--prefix", "app"]) == ExitCode.DONE
    return json.loads(capsys.readouterr().out)


def test_printed_policy_is_enough_for_the_probe_and_names_its_keys_only(allowed, capsys) -> None:
    policy = printed_policy(capsys, "probe-restore")
    code, site, _ = allowed(policy)
    assert code == ExitCode.DONE
    assert {key for key, _ in site.versions()} == {f"app/site-1/file-0000{n}" for n in range(3)}
    [statement] = [one for one in policy["Statement"] if one["Sid"] == "ProbeRestore"]
    assert statement["Resource"] == [f"arn:aws:s3:::site/app/{PROBE_KEY}*"]
    assert {*statement["Action"]} == {
        "s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"}  # fmt: skip


@pytest.mark.parametrize(
    "action",
    ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion",
     "s3:ListBucketVersions"],
)  # fmt: skip
def test_without_one_permission_the_probe_says_so_and_leaves_nothing(
    allowed, capsys, action: str
) -> None:
    policy = printed_policy(capsys, "probe-restore")
    for statement in policy["Statement"]:
        statement["Action"] = [name for name in statement["Action"] if name != action]
    code, site, _ = allowed(policy)
    assert code == ExitCode.ACCESS
    assert not [key for key, _ in site.versions() if ".ci3/" in key]
