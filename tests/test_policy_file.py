"""The policy file: what it may hold, and what is refused with its line."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from ci3.core.plan import DeleteLimit, Origin
from ci3.errors import ExitCode, SettingsError
from ci3.policy_file import MAXIMUM_BYTES, POLICY_KEYS, policy_schema, read_policy_file
from ci3.settings import Given, resolve

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "policy.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def write(content: str | bytes) -> str:
    encoded = content.encode("utf-8") if isinstance(content, str) else content
    Path("ci3.yml").write_bytes(encoded)
    return "ci3.yml"


def texts(content):
    return {name: given.texts for name, given in read_policy_file(write(content)).items()}


def settings(content):
    return resolve(read_policy_file(write(f"bucket: my-site\n{content}")))


def refusal(content):
    with pytest.raises(SettingsError) as caught:
        resolve(read_policy_file(write(content)))
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.message


def test_every_key_is_read():
    content = """
bucket: my-site            # a remark
region: eu-central-1
prefix: site/
endpoint-url: https://minio.example.org
keep-count: 3
match: '[0-9a-f]{40}'
protect:
  - release-*
  - "live"
max-delete: 50%
plan-file: plan.json
journal-file: journal.jsonl
comment: never
comment-id: site
"""
    found = resolve(read_policy_file(write(content)))

    assert set(texts(content)) == set(POLICY_KEYS)
    assert (found.bucket, found.prefix, found.keep_count) == ("my-site", "site/", 3)
    assert found.protect == ("release-*", "live")
    assert found.max_delete == DeleteLimit(amount=50, is_percent=True)


def test_value_knows_its_line_and_origin():
    given = read_policy_file(write("# top\nbucket: my-site\n\nkeep-count: 3\n"))

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
        ("prefix: ''", "prefix", ""),
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
        ("targets: []\n", "ci3.yml, line 1: there is no setting 'targets'."),
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


# The schema, for editors, agrees with the reader.


def bucket_in_force():
    return {"bucket": Given(texts=("my-site",), origin=Origin.INPUT, where="input bucket")}


def test_published_schema_is_the_readers():
    assert json.loads(policy_schema()) == SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == set(POLICY_KEYS)


@pytest.mark.parametrize(
    "content",
    [
        "bucket: my-site",
        "keep-count: 1",
        "keep-count: 999999999",
        "keep-count:",
        "comment: never",
        "comment:",
        "max-delete: 20",
        "max-delete: 0",
        "max-delete: 100%",
        "max-delete: 0%",
        "max-delete: '20'",
        "max-delete:",
        "protect: [1234567, 12e4567, true, null, a]",
        "protect: release-*",
        "protect: []",
        "match: '[0-9]+'",
        "prefix: 2026",
    ],
)
def test_schema_and_reader_take(content):
    resolve(read_policy_file(write(content)), bucket_in_force())
    VALIDATOR.validate(yaml.safe_load(content))


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        "bucket",
        "keep-cuont: 3",
        "mode: apply",
        "github-token: x",
        "keep-count: 0",
        "keep-count: '5'",
        "keep-count: 5.5",
        "keep-count: 1000000000",
        "keep-count: true",
        "max-delete: 150%",
        "max-delete: 101%",
        "max-delete: -1",
        "max-delete: half",
        "max-delete: 1000000000",
        "max-delete: true",
        "comment: off",
        "comment: sometimes",
        "protect: {a: b}",
        "protect: [[a]]",
        "bucket: [a, b]",
    ],
)
def test_schema_and_reader_refuse(content):
    with pytest.raises(SettingsError):
        resolve(read_policy_file(write(content)), bucket_in_force())
    assert not VALIDATOR.is_valid(yaml.safe_load(content))
