"""Invalid policy files are refused with the line, and no secret is shown."""

import pytest

from ci3.config.policy_file import read_policy_file
from ci3.errors import ExitCode, SettingsError
from tests.support.golden import assert_messages
from tests.unit.config.policy_files import check_location, resolve_policy, write_policy


def refuse(content):
    with pytest.raises(SettingsError) as caught:
        resolve_policy(content)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.hint
    return caught.value


def find_message(content):
    return refuse(content).message


DEEP = "protect: " + "[" * 50_000


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nprotect: *c\n"


BAD_FILES = [
    ("a: 1\n", 1),
    ("bucket: my-site\nkeep-cuont: 3\n", 2),
    ("keep_count: 3\n", 1),
    ("Protect: x\n", 1),
    ("<<: {bucket: a}\n", 1),
    ("? [bucket]\n: a\n", 1),
    ("protect: a\nbucket: b\nprotect: c\n", 3),
    ("protect: a\n'protect': c\n", 2),
    ("- bucket\n", 1),
    ("bucket\n", 1),
    ("", None),
    ("# nothing\n", None),
    ("---\n...\n", 2),
    ("{}", None),
    ("# " + "x" * 5_000_000, None),
    ("protect: &names [a]\nmatch: *names\n", 2),
    (BOMB, 2),
    ("protect: &loop [*loop]\n", 1),
    ("bucket: a\n---\nbucket: b\n", 2),
    (DEEP, 1),
    ("{" * 50_000, 1),
    ("- " * 20 + "x", 1),
    ("protect: [[a]]\n", 1),
    ("protect: {a: b}\n", 1),
    ("protect:\n- a\n- b: c\n", 3),
    ("bucket: [a, b]\n", 1),
    ("match: {}\n", 1),
    ("keep-count: '5'\n", 1),
    ("keep-count: 5.0\n", 1),
    ("keep-count: five\n", 1),
    ("keep-count: true\n", 1),
    ("keep-count: [5]\n", 1),
    ("keep-count: 0x10\n", 1),
    ("keep-count: 0\n", 1),
    ("keep-count: -3\n", 1),
    ("keep-daily: 7.5\n", 1),
    ("keep-daily: yes\n", 1),
    ("keep-daily: '7'\n", 1),
    ("keep-daily: -1\n", 1),
    ("keep-weekly: 1_0\n", 1),
    ("keep-monthly: 9999999999\n", 1),
    ("keep-within: 10\n", 1),
    ("keep-within: -3d\n", 1),
    ("keep-within: 3 days\n", 1),
    ("keep-within: 1.5d\n", 1),
    ("keep-within: 1:30\n", 1),
    ("keep-within: on\n", 1),
    ("keep-within: 999999w\n", 1),
    ("keep-within: [1d]\n", 1),
    ("max-delete-bytes: 9\n", 1),
    ("max-delete-bytes: {}\n", 1),
    ("group-by: pr-.*\n", 1),
    ("group-by: (a\n", 1),
    ("age-from: spam\n", 1),
    ("live-from: cloudfrnt\n", 1),
    ("live-from:\n- branches\n- cloudfront\n- branches\n", 1),
    ("max-delete: [20]\n", 1),
    ("max-delete: 150%\n", 1),
    ("max-delete: 0.5\n", 1),
    ("comment: off\n", 1),
    ("protect:\n- a\n- b/c\n", 1),
    ("mode: apply\n", 1),
    ("github-token: abc\n", 1),
    ("policy-file: x\n", 1),
    ("github-api-url: x\n", 1),
    (b"protect: caf\xe9\n", None),
    ("protect: a\n".encode("utf-16"), None),
    ("bucket: [a\n", 2),
    ("bucket: a: b\n", 1),
    ("\tbucket: a\n", 1),
    ("protect: release-*\nprotect2: *\n", 2),
    ("protect: %a\n", 1),
    ("bucket: a\x00b\n", None),
    ("bucket: !!python/object/apply:os.system [x]\n", 1),
]


@pytest.mark.parametrize(("content", "line"), BAD_FILES, ids=lambda value: repr(value)[:40])
def test_invalid_file_is_refused_with_its_line(content, line):
    check_location(find_message(content), line)


@pytest.mark.parametrize("path", ["nowhere.yml", ".", "ci3.yml/x"])
def test_file_that_cannot_be_read_is_refused_with_its_path(path):
    write_policy("bucket: a\n")

    with pytest.raises(SettingsError) as caught:
        read_policy_file(path)

    assert caught.value.exit_code is ExitCode.USAGE
    assert path in caught.value.message


BUCKET = "bucket: a-b\n"


@pytest.mark.parametrize("line", ["github-token: sEcReT", "endpoint-url: https://k:sEcReT@host"])
def test_secret_in_the_wrong_place_is_not_shown(line):
    assert "sEcReT" not in refuse(f"{BUCKET}{line}\n").full_message


TARGET = "targets:\n- bucket: a-site\n"


BAD_TARGETS = [
    ("targets: []\n", 1),
    ("targets: {}\n", 1),
    ("targets:\n", 1),
    ("targets: a\n", 1),
    ("targets: {bucket: a}\n", 1),
    (f"{TARGET}- my-docs\n", 3),
    (f"{TARGET}- [bucket]\n", 3),
    (f"{TARGET}- {{}}\n", 3),
    (f"{TARGET}-\n", 3),
    (f"{TARGET}- []\n", 3),
    (f"{TARGET}defaults:\n", 3),
    (f"{TARGET}defaults: {{}}\n", 3),
    (f"{TARGET}defaults: 5\n", 3),
    (f"{TARGET}defaults: [keep-count]\n", 3),
    ("defaults:\n  keep-count: 3\n", 1),
    (f"{TARGET}keep-count: 3\n", 3),
    (f"bucket: a\n{TARGET}", 1),
    (f"{TARGET}mode: apply\n", 3),
    (f"{TARGET}  mode: apply\n", 3),
    (f"{TARGET}default:\n  a: 1\n", 3),
    (f"{TARGET}  keep-cuont: 3\n", 3),
    (f"{TARGET}defaults:\n  keep-cuont: 3\n", 4),
    (f"{TARGET}  targets: []\n", 3),
    ("target:\n- bucket: a\n", 1),
    (f"{TARGET}targets: []\n", 3),
    (f"{TARGET}  bucket: b\n", 3),
    (f"defaults:\n  region: a\n  region: b\n{TARGET}", 3),
    (f"{TARGET}  keep-count: '5'\n", 3),
    (f"{TARGET}  keep-within: 10\n", 3),
    (f"defaults:\n  keep-within: 10\n{TARGET}", 2),
    (f"{TARGET}- prefix: b\n", 3),
    ("bucket: a\nprefix:\n", 2),
    ("bucket: a\nprefix: ''\n", 2),
    ("bucket: a\nmatch: ~\n", 2),
    ("defaults: {prefix: app}\ntargets:\n- prefix: ' '\n", 3),
    (f"{TARGET}- bucket:\n", 3),
    ("defaults: &all {keep-count: 3}\ntargets: [*all]\n", 2),
    (f"{TARGET}---\n{TARGET}", 3),
]


@pytest.mark.parametrize(("content", "line"), BAD_TARGETS, ids=lambda value: repr(value)[:40])
def test_invalid_targets_are_refused_with_their_line(content, line):
    check_location(find_message(content), line)


@pytest.mark.parametrize("name", ["comment", "comment-id", "issue", "plan-file", "journal-file"])
def test_setting_of_the_run_is_refused_in_a_target_and_accepted_in_defaults(name):
    error = refuse(f"{TARGET}  {name}: never\n")

    check_location(error.message, 3)
    assert name in error.message
    assert "defaults" in error.hint
    (settings,) = resolve_policy(f"defaults: {{{name}: never}}\n{TARGET}")
    assert getattr(settings, name.replace("-", "_")) == "never"


def test_keys_next_to_targets_are_refused_with_their_correct_place():
    assert "defaults" in refuse(f"{TARGET}keep-count: 3\n").hint
    assert "targets" in refuse("defaults: {keep-count: 3}").hint


def test_messages_are_the_golden_ones():
    run_setting = f"{TARGET}  comment: never\n"
    contents = [content for content, _ in [*BAD_FILES, *BAD_TARGETS]] + [run_setting]
    assert_messages(__file__, [(str(content), refuse(content)) for content in contents])
