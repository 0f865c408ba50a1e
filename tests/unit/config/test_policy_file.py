"""The policy file: what it may hold, and what is refused with its line."""

from pathlib import Path

import pytest

from ci3.config.fields import Kind
from ci3.config.named_policy import read_named_policy
from ci3.config.policy_file import MAXIMUM_BYTES, POLICY_KEYS, read_policy_file, read_policy_text
from ci3.config.resolve import RawSetting
from ci3.config.settings import SETTINGS_BY_NAME
from ci3.config.targets import PolicyFile, resolve_targets
from ci3.core.live.sources import LiveKind
from ci3.core.model.decision import Engine
from ci3.core.model.policy import DeleteLimit, Origin
from ci3.core.retention.age_order import AgeFrom
from ci3.errors import ExitCode, SettingsError


def write(content: str | bytes) -> str:
    encoded = content.encode("utf-8") if isinstance(content, str) else content
    Path("ci3.yml").write_bytes(encoded)
    return "ci3.yml"


def resolved(content):
    return resolve_targets({}, read_policy_file(write(content)), {})


def written(given):
    return {name: one.texts for name, one in given.items()}


def texts(content):
    policy = read_policy_file(write(content))
    assert policy.targets == ()
    return written(policy.defaults)


def settings(content):
    (one,) = resolved(f"bucket: my-site\n{content}")
    assert not one.has_targets
    return one


def refused(content):
    with pytest.raises(SettingsError) as caught:
        resolved(content)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.hint
    return caught.value


def refusal(content):
    return refused(content).message


def test_every_key_is_read():
    content = r"""
bucket: my-site            # a remark
region: eu-central-1
prefix: site/
endpoint-url: https://minio.example.org
addressing-style: virtual
keep-count: 3
match: '[0-9a-f]{40}'
protect:
  - release-*
  - "live"
live-from:
  - github-deployments:production
  - object:version.json#commit
keep-within: 14d
keep-daily: 7
keep-weekly: 4
keep-monthly: 0
group-by: '(pr-\d+)-.*'
required-file: index.html
age-from: oldest
inventory: s3://reports/my-site/daily/2026-11-24T01-00Z/manifest.json
max-delete: 50%
max-delete-bytes: 1.5GiB
delete-versions: true
engine: lifecycle
plan-file: plan.json
journal-file: journal.jsonl
timeout: 30m
concurrency: 4
comment: never
comment-id: site
"""
    (found,) = resolved(content)

    assert set(texts(content)) == set(POLICY_KEYS)
    assert (found.bucket, found.prefix, found.keep_count) == ("my-site", "site/", 3)
    assert found.protect == ("release-*", "live")
    assert [one.kind for one in found.live_from] == [LiveKind.GITHUB_DEPLOYMENTS, LiveKind.OBJECT]
    assert (str(found.keep_within), found.keep_daily, found.keep_weekly) == ("14d", 7, 4)
    assert (found.age_from, found.required_file) == (AgeFrom.OLDEST, "index.html")
    assert found.inventory.bucket == "reports"
    assert found.max_delete == DeleteLimit(amount=50, is_percent=True)
    assert found.max_delete_bytes.size_bytes == 3 * 2**29
    assert found.delete_versions is True
    assert found.engine is Engine.LIFECYCLE


def test_text_from_elsewhere_is_read_under_its_own_name():
    policy = read_policy_text("bucket: my-site\n", "ci3.yml of main")

    assert policy.defaults["bucket"].where == "ci3.yml of main, line 1, bucket"
    for text in ("a: 1", "- a", "x" * (MAXIMUM_BYTES + 1), "a: '\udcff'"):
        with pytest.raises(SettingsError, match=r"^ci3\.yml of main"):
            read_policy_text(text, "ci3.yml of main")


@pytest.mark.parametrize("texts", [(), ("",), (" ",)])
def test_without_a_name_there_is_no_policy(texts):
    given = {"policy-file": RawSetting(texts=texts, origin=Origin.INPUT, where="input policy-file")}

    assert read_named_policy(given) == read_named_policy({}) == PolicyFile()


def test_named_policy_is_read():
    named = RawSetting(texts=(f" {write('bucket: a')}\n",), origin=Origin.INPUT, where="")

    assert written(read_named_policy({"policy-file": named}).defaults) == {"bucket": ("a",)}


def test_value_knows_its_line_and_origin():
    given = read_policy_file(write("# top\nbucket: my-site\n\nkeep-count: 3\n")).defaults

    assert given["keep-count"].where == "ci3.yml, line 4, keep-count"
    assert given["keep-count"].origin is Origin.POLICY_FILE


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("[1234567, 0123456, 12e4567]", ("1234567", "0123456", "12e4567")),
        ("[0x1234567, 1_000_000, 1:30:00]", ("0x1234567", "1_000_000", "1:30:00")),
        ("[true, no, on, 2026-11-02]", ("true", "no", "on", "2026-11-02")),
        ("[.inf, 1.50, -0, 0o17]", (".inf", "1.50", "-0", "0o17")),
        ("[null, ~, Null]", ("null", "~", "Null")),
        ("1234567", ("1234567",)),
        ("|\n  one\n  two\n", ("one", "two")),
        ("\n- one\n- two\n", ("one", "two")),
        ("\n- one\n-\n- ''\n", ("one",)),
        ("[]", ()),
        ("null", ()),
        ("", ()),
        ("'null'", ("null",)),
        ("!!binary aGk=", ("aGk=",)),
    ],
)
def test_name_stays_the_text_that_was_written(written, read):
    assert settings(f"protect: {written}").protect == read


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("prefix: 0123456", "prefix", "0123456/"),
        ("prefix: 1.0", "prefix", "1.0/"),
        ("comment-id: on", "comment_id", "on"),
        ("max-delete: 20", "max_delete", DeleteLimit(amount=20, is_percent=False)),
        ("max-delete: '20'", "max_delete", DeleteLimit(amount=20, is_percent=False)),
        ("keep-count: ~", "keep_count", 5),
        ("keep-count:", "keep_count", 5),
        ("comment:", "comment", "changes"),
    ],
)
def test_plain_value_counts_as_written_and_an_empty_one_as_unset(line, field, value):
    assert getattr(settings(line), field) == value


@pytest.mark.parametrize("start", ["\ufeff", "%YAML 1.1\n---\n", "---\n", "# remark\n\n"])
def test_usual_beginnings_of_a_file_are_taken(start):
    assert texts(f"{start}bucket: my-site\n") == {"bucket": ("my-site",)}


@pytest.mark.parametrize("end", ["...\n", "", "\r\n", "\n# remark"])
def test_usual_ends_of_a_file_are_taken(end):
    assert texts(f"bucket: my-site\n{end}") == {"bucket": ("my-site",)}


DEEP = "protect: " + "[" * 50_000
BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nprotect: *c\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: 1\n", "ci3.yml, line 1: there is no setting 'a'."),
        (
            "bucket: my-site\nkeep-cuont: 3\n",
            "ci3.yml, line 2: there is no setting 'keep-cuont'. Did you mean keep-count?",
        ),
        ("keep_count: 3\n", "ci3.yml, line 1: there is no setting 'keep_count'. Did you mean"),
        ("Protect: x\n", "ci3.yml, line 1: there is no setting 'Protect'. Did you mean protect?"),
        ("<<: {bucket: a}\n", "ci3.yml, line 1: there is no setting '<<'."),
        ("? [bucket]\n: a\n", "ci3.yml, line 1: there is no setting '(not a name)'."),
        ("protect: a\nbucket: b\nprotect: c\n", "ci3.yml, line 3: protect stands here a second"),
        ("protect: a\n'protect': c\n", "ci3.yml, line 2: protect stands here a second time"),
        ("- bucket\n", "ci3.yml, line 1: the file must be a mapping"),
        ("bucket\n", "ci3.yml, line 1: the file must be a mapping"),
        ("", "ci3.yml: the file is empty"),
        ("# nothing\n", "ci3.yml: the file is empty"),
        ("---\n...\n", "ci3.yml, line 2: the file must be a mapping"),
        ("{}", "ci3.yml: the file is empty"),
        ("# " + "x" * 5_000_000, "ci3.yml: the file is larger than 1,000,000 bytes"),
        (
            "protect: &names [a]\nmatch: *names\n",
            "ci3.yml, line 2: an alias (*) is not allowed here",
        ),
        (BOMB, "ci3.yml, line 2: an alias (*) is not allowed here"),
        ("protect: &loop [*loop]\n", "ci3.yml, line 1: an alias (*) is not allowed here"),
        ("bucket: a\n---\nbucket: b\n", "ci3.yml, line 2: a second document (---) is not"),
        (DEEP, "ci3.yml, line 1: this is nested too deep"),
        ("{" * 50_000, "ci3.yml, line 1: this is nested too deep"),
        ("- " * 20 + "x", "ci3.yml, line 1: this is nested too deep"),
        ("protect: [[a]]\n", "ci3.yml, line 1: protect must be a list of texts"),
        ("protect: {a: b}\n", "ci3.yml, line 1: protect must be a list of texts"),
        ("protect:\n- a\n- b: c\n", "ci3.yml, line 3: protect must be a list of texts"),
        ("bucket: [a, b]\n", "ci3.yml, line 1: bucket must be one text"),
        ("match: {}\n", "ci3.yml, line 1: match must be one text"),
        ("keep-count: '5'\n", "ci3.yml, line 1: keep-count must be a whole number, not '5'"),
        ("keep-count: 5.0\n", "ci3.yml, line 1: keep-count must be a whole number, not '5.0'"),
        ("keep-count: five\n", "ci3.yml, line 1: keep-count must be a whole number, not 'five'"),
        ("keep-count: true\n", "ci3.yml, line 1: keep-count must be a whole number, not 'true'"),
        ("keep-count: [5]\n", "ci3.yml, line 1: keep-count must be a whole number"),
        ("keep-count: 0x10\n", "ci3.yml, line 1, keep-count: '0x10' is not a whole number"),
        ("keep-count: 0\n", "ci3.yml, line 1, keep-count: '0' is too few"),
        ("keep-count: -3\n", "ci3.yml, line 1, keep-count: '-3' is too few"),
        ("keep-daily: 7.5\n", "ci3.yml, line 1: keep-daily must be a whole number, not '7.5'"),
        ("keep-daily: yes\n", "ci3.yml, line 1: keep-daily must be a whole number, not 'yes'"),
        ("keep-daily: '7'\n", "ci3.yml, line 1: keep-daily must be a whole number, not '7'"),
        ("keep-daily: -1\n", "ci3.yml, line 1, keep-daily: '-1' is not a whole number of 0 or"),
        ("keep-weekly: 1_0\n", "ci3.yml, line 1, keep-weekly: '1_0' is not a whole number of"),
        ("keep-monthly: 9999999999\n", "ci3.yml, line 1, keep-monthly: '9999999999' is not a"),
        ("keep-within: 10\n", "ci3.yml, line 1, keep-within: '10' has no unit; write whole"),
        ("keep-within: -3d\n", "ci3.yml, line 1, keep-within: '-3d' is no duration; write"),
        ("keep-within: 3 days\n", "ci3.yml, line 1, keep-within: '3 days' is no duration;"),
        ("keep-within: 1.5d\n", "ci3.yml, line 1, keep-within: '1.5d' is no duration; write"),
        ("keep-within: 1:30\n", "ci3.yml, line 1, keep-within: '1:30' is no duration; write"),
        ("keep-within: on\n", "ci3.yml, line 1, keep-within: 'on' is no duration; write"),
        ("keep-within: 999999w\n", "ci3.yml, line 1, keep-within: '999999w' is too long: at"),
        ("keep-within: [1d]\n", "ci3.yml, line 1: keep-within must be a duration, such as 14d"),
        ("max-delete-bytes: 9\n", "ci3.yml, line 1, max-delete-bytes: '9' has no unit; write"),
        ("max-delete-bytes: {}\n", "ci3.yml, line 1: max-delete-bytes must be a size, such as"),
        ("group-by: pr-.*\n", "ci3.yml, line 1, group-by: 'pr-.*' has no group in parentheses"),
        ("group-by: (a\n", "ci3.yml, line 1, group-by: '(a' is no regular expression: "),
        ("age-from: spam\n", "ci3.yml, line 1, age-from: 'spam' is none of span, oldest, newest"),
        ("live-from: cloudfrnt\n", "ci3.yml, line 1, live-from: 'cloudfrnt' is no live source;"),
        (
            "live-from:\n- branches\n- cloudfront\n- branches\n",
            "ci3.yml, line 1, live-from: 'branches' is named twice",
        ),
        ("max-delete: [20]\n", "ci3.yml, line 1: max-delete must be a count or a percentage"),
        ("max-delete: 150%\n", "ci3.yml, line 1, max-delete: '150%' is neither"),
        ("max-delete: 0.5\n", "ci3.yml, line 1, max-delete: '0.5' is neither"),
        ("comment: off\n", "ci3.yml, line 1, comment: 'off' is none of always, changes, never."),
        ("protect:\n- a\n- b/c\n", "ci3.yml, line 1, protect: 'b/c' has a slash in it"),
        ("mode: apply\n", "ci3.yml, line 1: mode can't be set in a policy file, only where ci3"),
        ("github-token: abc\n", "ci3.yml, line 1: github-token can't be set in a policy file"),
        ("policy-file: x\n", "ci3.yml, line 1: policy-file can't be set in a policy file"),
        ("github-api-url: x\n", "ci3.yml, line 1: github-api-url can't be set in a policy file"),
        (b"protect: caf\xe9\n", "ci3.yml: the file is not UTF-8 text"),
        ("protect: a\n".encode("utf-16"), "ci3.yml: the file is not UTF-8 text"),
        ("bucket: [a\n", "ci3.yml, line 2: this is not YAML: "),
        ("bucket: a: b\n", "ci3.yml, line 1: this is not YAML: "),
        ("\tbucket: a\n", "ci3.yml, line 1: this is not YAML: "),
        ("protect: release-*\nprotect2: *\n", "ci3.yml, line 2: this is not YAML: "),
        ("protect: %a\n", "ci3.yml, line 1: this is not YAML: "),
        ("bucket: a\x00b\n", "ci3.yml: this is not YAML that can be read"),
        ("bucket: !!python/object/apply:os.system [x]\n", "ci3.yml, line 1: bucket must be one"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_bad_file_is_refused_with_its_line(content, told):
    assert refusal(content).startswith(told)


def test_anchor_that_nothing_refers_to_does_no_harm():
    assert texts("protect: &names [a]\n") == {"protect": ("a",)}


@pytest.mark.parametrize("path", ["nowhere.yml", ".", "ci3.yml/x"])
def test_file_that_cannot_be_read_is_refused_with_its_path(path):
    write("bucket: a\n")

    with pytest.raises(SettingsError) as caught:
        read_policy_file(path)

    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.message.startswith(f"the policy file {path} can't be read: ")


def test_largest_file_is_read():
    content = "bucket: my-site\n# ".ljust(MAXIMUM_BYTES, "x")

    assert texts(content) == {"bucket": ("my-site",)}


def test_secret_in_the_wrong_place_is_not_shown():
    assert "ghs_abc" not in refusal("bucket: a-b\ngithub-token: ghs_abc\n")
    assert "sEcReT" not in refusal("bucket: a-b\nendpoint-url: https://k:sEcReT@host\n")


# Targets.

TARGETS = """\
defaults:
  keep-count: 3
  protect: [release-*]
  comment: never
targets:
  - bucket: my-site
    prefix: app
  # a remark
  - bucket: my-docs
    keep-count: 9
    protect: live
"""


def test_targets_are_read_with_their_lines_and_defaults():
    policy = read_policy_file(write(TARGETS))

    assert written(policy.defaults) == {
        "keep-count": ("3",),
        "protect": ("release-*",),
        "comment": ("never",),
    }
    assert [(one.line, written(one.raw_settings)) for one in policy.targets] == [
        (6, {"bucket": ("my-site",), "prefix": ("app",)}),
        (9, {"bucket": ("my-docs",), "keep-count": ("9",), "protect": ("live",)}),
    ]
    assert policy.targets[1].raw_settings["keep-count"].where == "ci3.yml, line 10, keep-count"
    assert policy.targets[1].raw_settings["keep-count"].origin is Origin.POLICY_FILE


def test_targets_need_no_defaults_and_may_stand_before_them():
    policy = read_policy_file(write("targets: [{bucket: a-site}]\ndefaults: {keep-count: 1}\n"))

    assert written(policy.defaults) == {"keep-count": ("1",)}
    assert [written(one.raw_settings) for one in policy.targets] == [{"bucket": ("a-site",)}]
    assert read_policy_file(write("targets: [{bucket: a-site}]")).defaults == {}


ONE = "targets:\n- bucket: a-site\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("targets: []\n", "ci3.yml, line 1: targets must be a list of one target or more"),
        ("targets: {}\n", "ci3.yml, line 1: targets must be a list of one target or more"),
        ("targets:\n", "ci3.yml, line 1: targets must be a list of one target or more"),
        ("targets: a\n", "ci3.yml, line 1: targets must be a list of one target or more"),
        ("targets: {bucket: a}\n", "ci3.yml, line 1: targets must be a list of one target or"),
        (f"{ONE}- my-docs\n", "ci3.yml, line 3: target 2 must be a mapping"),
        (f"{ONE}- [bucket]\n", "ci3.yml, line 3: target 2 must be a mapping"),
        (f"{ONE}- {{}}\n", "ci3.yml, line 3: target 2 is empty"),
        (f"{ONE}-\n", "ci3.yml, line 3: target 2 is empty"),
        (f"{ONE}- []\n", "ci3.yml, line 3: target 2 is empty"),
        (f"{ONE}defaults:\n", "ci3.yml, line 3: defaults is empty"),
        (f"{ONE}defaults: {{}}\n", "ci3.yml, line 3: defaults is empty"),
        (f"{ONE}defaults: 5\n", "ci3.yml, line 3: defaults must be a mapping"),
        (f"{ONE}defaults: [keep-count]\n", "ci3.yml, line 3: defaults must be a mapping"),
        ("defaults:\n  keep-count: 3\n", "ci3.yml, line 1: defaults stands here without targets"),
        (f"{ONE}keep-count: 3\n", "ci3.yml, line 3: keep-count can't stand beside defaults and"),
        (f"bucket: a\n{ONE}", "ci3.yml, line 1: bucket can't stand beside defaults and targets"),
        (f"{ONE}mode: apply\n", "ci3.yml, line 3: mode can't be set in a policy file"),
        (f"{ONE}  mode: apply\n", "ci3.yml, line 3: mode can't be set in a policy file"),
        (f"{ONE}default:\n  a: 1\n", "ci3.yml, line 3: there is no setting 'default'. Did you"),
        (f"{ONE}  keep-cuont: 3\n", "ci3.yml, line 3: there is no setting 'keep-cuont'. Did you"),
        (
            f"{ONE}defaults:\n  keep-cuont: 3\n",
            "ci3.yml, line 4: there is no setting 'keep-cuont'. Did you mean keep-count?",
        ),
        (f"{ONE}  targets: []\n", "ci3.yml, line 3: there is no setting 'targets'."),
        ("target:\n- bucket: a\n", "ci3.yml, line 1: there is no setting 'target'. Did you mean t"),
        (f"{ONE}targets: []\n", "ci3.yml, line 3: targets stands here a second time"),
        (f"{ONE}  bucket: b\n", "ci3.yml, line 3: bucket stands here a second time"),
        (
            f"defaults:\n  region: a\n  region: b\n{ONE}",
            "ci3.yml, line 3: region stands here a second time",
        ),
        (f"{ONE}  keep-count: '5'\n", "ci3.yml, line 3: keep-count must be a whole number, not"),
        (f"{ONE}  keep-within: 10\n", "ci3.yml, line 3, keep-within: '10' has no unit;"),
        (
            f"defaults:\n  keep-within: 10\n{ONE}",
            "ci3.yml, line 2, keep-within: '10' has no unit;",
        ),
        (f"{ONE}- prefix: b\n", "ci3.yml, line 3, target 2: bucket is not set"),
        ("bucket: a\nprefix:\n", "ci3.yml, line 2: prefix has no value."),
        ("bucket: a\nprefix: ''\n", "ci3.yml, line 2: prefix has no value."),
        ("bucket: a\nmatch: ~\n", "ci3.yml, line 2: match has no value."),
        ("defaults: {prefix: app}\ntargets:\n- prefix: ' '\n", "ci3.yml, line 3: prefix has no"),
        (f"{ONE}- bucket:\n", "ci3.yml, line 3, target 2: bucket is not set"),
        (
            "defaults: &all {keep-count: 3}\ntargets: [*all]\n",
            "ci3.yml, line 2: an alias (*) is not allowed here",
        ),
        (f"{ONE}---\n{ONE}", "ci3.yml, line 3: a second document (---) is not"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_targets_are_refused_with_their_line(content, told):
    assert refusal(content).startswith(told)


@pytest.mark.parametrize("name", ["comment", "comment-id", "plan-file", "journal-file"])
def test_what_is_for_the_whole_run_stands_in_the_defaults_and_in_no_target(name):
    error = refused(f"{ONE}  {name}: never\n")

    message = f"ci3.yml, line 3: {name} is for the whole run, and can't be set for target 1 alone"
    assert (error.message, error.hint) == (message, "Put it under defaults.")
    (settings,) = resolved(f"defaults: {{{name}: never}}\n{ONE}")
    assert getattr(settings, name.replace("-", "_")) == "never"


def test_what_may_differ_between_targets_is_all_that_is_about_a_folder():
    for_the_run = {"comment", "comment-id", "plan-file", "journal-file", "timeout", "concurrency"}
    for name in set(POLICY_KEYS) - for_the_run:
        value = "true" if SETTINGS_BY_NAME[name].kind is Kind.FLAG else "1"
        policy = read_policy_text(f"targets:\n- {name}: {value}\n", "ci3.yml")
        assert set(policy.targets[0].raw_settings) == {name}


def test_keys_beside_targets_are_refused_with_where_to_put_them():
    assert refused(f"{ONE}keep-count: 3\n").hint == (
        "Put it under defaults, for every target, or in one of the targets."
    )
    assert refused("defaults: {keep-count: 3}").hint == (
        "Add targets, or write the keys without defaults above them."
    )


@pytest.mark.parametrize("name", ["plan-file", "journal-file"])
@pytest.mark.parametrize(
    "path",
    [
        "/etc/cron.d/a",
        "../plan.json",
        "a/../../plan.json",
        "out/plan.json",
        "out-file",
        "loop",
        "/",
    ],
)
def test_file_outside_of_the_workspace_is_refused(tmp_path: Path, name: str, path: str) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    Path("out").symlink_to("/")
    Path("out-file").symlink_to("/plan.json")
    Path("loop").symlink_to("loop")
    given = {"policy-file": named(write(f"{name}: {path}\n"))}
    with pytest.raises(SettingsError, match="outside of the workspace"):
        read_named_policy(given)
    with pytest.raises(SettingsError, match="outside of the workspace"):
        read_named_policy(given, str(workspace))


@pytest.mark.parametrize(
    "line",
    ["plan-file: plan.json", "plan-file: a/../plan.json", "journal-file: in/j.jsonl",
     "journal-file: s3://site/.ci3/journals/1/"],
)  # fmt: skip
def test_file_inside_of_the_workspace_is_accepted(line: str) -> None:
    Path("in").symlink_to(".")
    assert read_named_policy({"policy-file": named(write(line))}).defaults


def named(path: str) -> RawSetting:
    return RawSetting(texts=(path,), origin=Origin.OPTION, where="option --policy-file")
