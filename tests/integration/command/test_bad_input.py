"""Mistakes of every kind at the command line: the designed exit code, one clear error, no harm."""

import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ci3.action.main import main as run_action
from ci3.cli.main import main
from ci3.config.fields import Kind
from ci3.config.settings import SETTINGS_BY_NAME
from tests.support.github.fake_runner import FakeStep, parse_commands
from tests.support.s3.answers import GROUP_LISTING, HTML, error, listing
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

CLEANUP = ("cleanup", "--auto-approve")
PLAN = ("plan-cleanup",)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    def check_error(self, code: int, *told: str) -> None:
        """One error, in words, with what to do next; line breaks of the log do not matter."""
        text = " ".join(self.err.split())
        assert self.code == code, self.err
        assert text.count("Error: ") == 1, self.err
        assert "Traceback" not in self.err + self.out
        for words in told:
            assert words in text
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert not lines[-1].startswith("Error: "), "there must be a hint"


@pytest.fixture
def ci3(capsys: pytest.CaptureFixture[str]):
    """Run the command; gives its exit code and what it wrote."""

    def run(*argv: str) -> Ran:
        code = main(argv)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def act(live: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Run the action with inputs; gives its exit code and its log."""
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}

    def run(inputs: Mapping[str, str]) -> tuple[int, str]:
        step = FakeStep(tmp_path / "step")
        for name, value in {**step.environ(inputs), **live.inputs()}.items():
            monkeypatch.setenv(name, value)
        return run_action(), capsys.readouterr().out

    yield run
    for one, action in before.items():
        signal.signal(one, action)


@pytest.fixture
def live(site: Bucket) -> Bucket:
    """A site of seven deployments and a file, behind the proxy."""
    site.put("index.html")
    for days in range(7):
        site.deploy(f"web-{days}", days=days, files=2)
    return site


@pytest.fixture(autouse=True)
def _nothing_changes(request: pytest.FixtureRequest):
    if "live" not in request.fixturenames:
        yield
        return
    bucket: Bucket = request.getfixturevalue("live")
    before = bucket.content()
    yield
    assert bucket.content() == before
    assert request.getfixturevalue("proxy").deletions == []


@pytest.mark.parametrize("command", [PLAN, CLEANUP, ("list-deployments",), ("list-objects", "a")])
def test_bucket_must_be_named(ci3, command: Sequence[str]) -> None:
    ci3(*command).check_error(2, "bucket is not set", "--bucket-name")


@pytest.mark.parametrize("command", [PLAN, CLEANUP, ("list-deployments",), ("list-objects", "a")])
def test_bucket_that_does_not_exist(ci3, s3_url: str, command: Sequence[str]) -> None:
    where = ("--bucket-name", "nobody-has-this", "--endpoint-url", s3_url)
    ci3(*command, *where).check_error(6, "s3://nobody-has-this/", "NoSuchBucket", "bucket's name")


def test_no_credentials(ci3, live: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ci3(*CLEANUP, *live.options()).check_error(6, "no AWS credentials", "configure-aws-credentials")


@pytest.mark.parametrize(
    ("status", "code"), [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")]
)
def test_wrong_region_names_the_right_one(
    ci3, live: Bucket, proxy: FaultProxy, status: int, code: str
) -> None:
    body = error(code, xml="<Region>eu-west-1</Region>")
    proxy.answer("GET", "list-type=2", body, status=status)
    ci3(*CLEANUP, *live.options()).check_error(6, code, "Set region to eu-west-1")


def test_redirect_to_nowhere_is_an_error(ci3, live: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("GET", ".", status=302, headers={"Location": "http://127.0.0.1:1/login"})
    ci3(*CLEANUP, *live.options()).check_error(6, "redirected", f"s3://{live.name}/", "endpoint")


def test_access_denied(ci3, live: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("GET", "list-type=2", error("AccessDenied"), status=403)
    ci3(*CLEANUP, *live.options()).check_error(6, "AccessDenied", live.name, "ci3 iam-policy")


def test_endpoint_where_nobody_answers(
    ci3, live: Bucket, closed_port_url: str, pauses: list[float]
) -> None:
    where = ("--bucket-name", live.name, "--endpoint-url", closed_port_url)
    ci3(*CLEANUP, *where).check_error(6, "can't be reached", closed_port_url, "endpoint-url")


@pytest.mark.parametrize("body", [HTML, "<!DOCTYPE html><br>Sign in", "", "{}"])
def test_endpoint_that_is_no_s3(ci3, live: Bucket, proxy: FaultProxy, body: str) -> None:
    proxy.answer("GET", "list-type=2", body)
    ci3(*CLEANUP, *live.options()).check_error(6, f"s3://{live.name}/", "endpoint-url is an S3")


def test_listing_that_breaks_off(ci3, live: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("GET", "list-type=2", listing(folders=["web-1/"], is_truncated="true"))
    ci3(*CLEANUP, *live.options()).check_error(6, "no token", "Nothing was deleted")


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--keep-count", "0", "at least 1 must stay"),
        ("--keep-count", "-1", "at least 1 must stay"),
        ("--keep-count", "three", "not a whole number"),
        ("--match", "(", "no regular expression"),
        ("--bucket-name", "site--use1-az4--x-s3", "directory bucket"),
        ("--bucket-name", "s3://site/app", "write bucket: site and prefix: app"),
        ("--bucket-name", "no such name", "no bucket's name"),
        ("--endpoint-url", "127.0.0.1:9000", "no address"),
        ("--prefix", "/app", "write app"),
        ("--max-delete", "101%", "percentage"),
        ("--protect", "app/a", "slash"),
        ("--policy-file", "nowhere.yml", "nowhere.yml can't be read"),
    ],
)
def test_value_that_does_not_fit(  # noqa: PLR0917 - a table's columns
    ci3, live: Bucket, proxy: FaultProxy, option: str, value: str, told: str
) -> None:
    ran = ci3(*CLEANUP, *live.options(), option, value)
    ran.check_error(2, told, value)
    assert proxy.requests == []


BAD_VALUES = [
    ("keep-within", "10", "'10' has no unit"),
    ("keep-within", "-3d", "'-3d' is no duration"),
    ("keep-within", "3 days", "'3 days' is no duration"),
    ("keep-within", "1.5d", "'1.5d' is no duration"),
    ("keep-within", "\uff11\uff14d", "is no duration"),
    ("keep-within", "999999w", "'999999w' is too long"),
    ("keep-within", "9999999999d", "'9999999999d' is no duration"),
    ("keep-daily", "7.5", "whole number"),
    ("keep-daily", "yes", "whole number"),
    ("keep-weekly", "-1", "whole number"),
    ("keep-monthly", "9999999999", "whole number"),
    ("group-by", "pr-.*", "'pr-.*' has no group in parentheses"),
    ("group-by", "(pr-.*", "'(pr-.*' is no regular expression"),
    ("match", "[[:alpha:]]+", "'[[:alpha:]]+' is no regular expression"),
    ("required-file", "/index.html", "'/index.html' is no file's path"),
    ("required-file", "assets/", "'assets/' is no file's path"),
    (
        "age-from",
        "spam",
        "'spam' is none of span, oldest, newest, first-object, name. Did you mean span?",
    ),
    ("addressing-style", "vhost", "'vhost' is none of auto, path, virtual"),
    ("inventory", "s3://reports/my-site", "is no address of a manifest"),
    ("inventory", "s3:///manifest.json", "is no address of a manifest"),
    ("inventory", "https://reports.example.org/manifest.json", "is no address of a manifest"),
    ("live-from", "cloudfrnt", "Did you mean cloudfront?"),
    ("live-from", "ssm:", "'ssm:' lacks what to read"),
    ("live-from", "url:file:///etc/passwd", "'url:file:///etc/passwd' is no address"),
    ("live-from", "cloudfront:x", "'cloudfront:x' has something after cloudfront"),
    ("live-from", "branches\nbranches", "'branches' is named twice"),
    ("max-delete-bytes", "100", "'100' has no unit"),
    ("max-delete-bytes", "-1GB", "'-1GB' is no size"),
    ("max-delete-bytes", "1e3MB", "'1e3MB' is no size"),
]


@pytest.mark.parametrize(("name", "value", "told"), BAD_VALUES)
@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_bad_value_of_an_option_is_told_with_its_name(  # noqa: PLR0917 - a table's columns
    ci3, live: Bucket, proxy: FaultProxy, command: Sequence[str], name: str, value: str, told: str
) -> None:
    ran = ci3(*command, *live.options(), f"--{name}", value)
    ran.check_error(2, f"option --{name}", told)
    assert proxy.requests == []


@pytest.mark.parametrize(("name", "value", "told"), BAD_VALUES)
def test_bad_value_in_a_policy_file_is_told_with_its_line(  # noqa: PLR0917 - a table's columns
    ci3, live: Bucket, proxy: FaultProxy, name: str, value: str, told: str
) -> None:
    written = value if SETTINGS_BY_NAME[name].kind is Kind.COUNT else json.dumps(value)
    for text, line in (
        (f"{name}: {written}\n", 1),
        (f"targets:\n- prefix: app\n- prefix: docs\n  {name}: {written}\n", 4),
        (f"defaults:\n  {name}: {written}\ntargets: [{{prefix: app}}]\n", 2),
    ):
        Path("policy.yml").write_text(text, encoding="utf-8")
        ran = ci3(*CLEANUP, *live.options(), "--policy-file", "policy.yml")
        ran.check_error(2, f"policy.yml, line {line}", told)
    assert proxy.requests == []


@pytest.mark.parametrize(("name", "value", "told"), BAD_VALUES)
def test_bad_value_of_an_input_is_told_with_its_name(  # noqa: PLR0917 - a table's columns
    act, live: Bucket, proxy: FaultProxy, name: str, value: str, told: str
) -> None:
    code, log = act({"mode": "apply", name: value})
    errors = [message for kind, message in parse_commands(log) if kind == "error"]
    assert (code, len(errors)) == (2, 1)
    assert f"input {name}: " in errors[0]
    assert told in errors[0]
    assert proxy.requests == []


BAD_TARGETS = [
    ("targets: []\n", "policy.yml, line 1: targets must be a list of one target or more"),
    ("- prefix: app\n", "policy.yml, line 1: the file must be a mapping"),
    ("targets: [{prefix: app}]\nkeep-count: 3\n", "line 2: keep-count can't stand beside defaults"),
    ("targets: [{prefix: app, plan-file: a}]\n", "plan-file is for the whole run"),
    ("targets:\n- {prefix: app}\n- {prefix: app/}\n", "are the same folder"),
    ("targets:\n- {prefix: app}\n- {prefix: app/x/y}\n", "lies in the folder 'x'"),
    ("a: &a [x]\nb: [*a, *a]\n", "policy.yml, line 2: an alias (*) is not allowed here"),
    ("", "policy.yml: the file is empty"),
    ("# " + "x" * 5_000_000, "policy.yml: the file is larger than 1,000,000 bytes"),
]


@pytest.mark.parametrize(("text", "told"), BAD_TARGETS, ids=lambda value: value[:30])
@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_bad_targets_are_told_before_anything_is_asked(  # noqa: PLR0917 - a table's columns
    ci3, live: Bucket, proxy: FaultProxy, command: Sequence[str], text: str, told: str
) -> None:
    Path("policy.yml").write_text(text, encoding="utf-8")
    ran = ci3(*command, *live.options(), "--policy-file", "policy.yml")
    ran.check_error(2, told)
    assert proxy.requests == []


@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_unknown_option_names_the_nearest(ci3, live: Bucket, command: Sequence[str]) -> None:
    ran = ci3(*command, *live.options(), "--keep-cuont", "3")
    ran.check_error(2, "--keep-cuont", "--keep-count", f"ci3 {command[0]} --help")


def test_unknown_command(ci3) -> None:
    ci3("clean").check_error(2, "clean", "ci3 --help")


def test_no_command_shows_the_help(ci3) -> None:
    ran = ci3()
    assert (ran.code, ran.out) == (2, "")
    assert "Examples:" in ran.err


def test_unknown_key_in_a_policy_file_names_the_nearest(ci3, live: Bucket) -> None:
    Path("policy.yml").write_text("bucket: x\nkeep-cuont: 3\n", encoding="utf-8")
    ran = ci3(*CLEANUP, *live.options(), "--policy-file", "policy.yml")
    ran.check_error(2, "policy.yml, line 2", "keep-cuont", "Did you mean keep-count?")


@pytest.mark.parametrize("output", ["table", "json", "markdown"])
@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_protected_name_that_matches_nothing_refuses(
    ci3, live: Bucket, command: Sequence[str], output: str
) -> None:
    ran = ci3(*command, *live.options(), "--protect", "wbe-6", "--output", output)
    ran.check_error(4, "protect names wbe-6", "Did you mean web-6?", "Nothing was deleted")


@pytest.mark.parametrize("limit", ["1", "10%", "0"])
@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_more_than_max_delete_refuses(
    ci3, live: Bucket, command: Sequence[str], limit: str
) -> None:
    ran = ci3(*command, *live.options(), "--max-delete", limit)
    ran.check_error(4, "2 deployments of 7 would be deleted", f"allows {limit}")


def test_deployment_that_cannot_be_listed_refuses(ci3, live: Bucket, proxy: FaultProxy) -> None:
    for listed in (GROUP_LISTING, "prefix=web-6%2F"):
        proxy.answer("GET", listed, error("AccessDenied"), status=403)
    ci3(*CLEANUP, *live.options()).check_error(4, "web-6 could not be listed")


def test_deployment_that_cannot_be_listed_is_no_success_of_a_list(
    ci3, live: Bucket, proxy: FaultProxy
) -> None:
    for listed in (GROUP_LISTING, "prefix=web-6%2F"):
        proxy.answer("GET", listed, HTML)
    ran = ci3("list-deployments", *live.options(), "--output", "json")
    assert ran.code == 6
    assert "web-6 could not be listed" in ran.err


def test_journal_that_is_there_already_is_kept(ci3, live: Bucket) -> None:
    Path("journal.jsonl").write_text("precious\n", encoding="utf-8")
    ran = ci3(*CLEANUP, *live.options(), "--journal-file", "journal.jsonl")
    ran.check_error(2, "journal.jsonl is there already", "Name another")
    assert Path("journal.jsonl").read_text(encoding="utf-8") == "precious\n"


@pytest.mark.parametrize("path", ["nowhere/journal.jsonl", "/proc/journal.jsonl"])
def test_journal_that_cannot_be_made(ci3, live: Bucket, path: str) -> None:
    ran = ci3(*CLEANUP, *live.options(), "--journal-file", path)
    ran.check_error(2, f"{path} can't be written", "Nothing was deleted")


@pytest.mark.parametrize("path", ["nowhere/plan.json", ".", "/dev/full"])
def test_plan_file_that_cannot_be_written(ci3, live: Bucket, path: str) -> None:
    ran = ci3("plan-cleanup", *live.options(), "--plan-file", path)
    ran.check_error(2, f"the plan file {path} can't be written", "Nothing was deleted")


@pytest.mark.parametrize("name", ["web-9", "", "/", "../x"])
def test_list_objects_of_no_deployment(ci3, live: Bucket, name: str) -> None:
    ran = ci3("list-objects", name, *live.options())
    ran.check_error(2, "there is no deployment", "ci3 list-deployments")


# What is no mistake.


@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_empty_bucket_has_nothing_to_delete(ci3, bucket: Bucket, command: Sequence[str]) -> None:
    ran = ci3(*command, *bucket.options())
    assert (ran.code, "Error" in ran.err) == (0, False)
    assert "Nothing to delete" in ran.out


@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_bucket_of_files_alone_has_nothing_to_delete(
    ci3, bucket: Bucket, command: Sequence[str]
) -> None:
    bucket.put("index.html")
    ran = ci3(*command, *bucket.options(), "--keep-count", "1")
    assert (ran.code, "Error" in ran.err) == (0, False)
    assert "Nothing to delete" in ran.out
    assert bucket.keys() == {"index.html"}


def test_glob_that_matches_nothing_only_warns(ci3, live: Bucket) -> None:
    ran = ci3(*PLAN, *live.options(), "--protect", "release-*")
    assert ran.code == 0
    assert "release-*, which matches no folder" in ran.out


def test_plan_file_overwrites_nothing_but_a_plan(ci3, live: Bucket) -> None:
    Path("notes.txt").write_text("mine", encoding="utf-8")
    ran = ci3("plan-cleanup", *live.options(), "--plan-file", "notes.txt")
    ran.check_error(2, "notes.txt is there already, a file that is no plan")
    assert Path("notes.txt").read_text(encoding="utf-8") == "mine"
    Path("empty").touch()
    ran = ci3("plan-cleanup", *live.options(), "--plan-file", "empty")
    ran.check_error(2, "empty is there already, a file that is no plan")
    assert Path("empty").stat().st_size == 0
    assert ci3("plan-cleanup", *live.options(), "--plan-file", "plan.json").code == 0
    assert ci3("plan-cleanup", *live.options(), "--plan-file", "plan.json").code == 0
