"""The JSON schema of policy files: it accepts and refuses the same files as the reader."""

import json
import subprocess
import sys

import jsonschema
import pytest
import yaml

from ci3.config.policy_file import POLICY_KEYS, read_policy_text
from ci3.config.policy_schema import build_policy_schema
from ci3.config.resolve import RawSetting
from ci3.config.settings import SETTINGS_BY_NAME
from ci3.config.targets import resolve_targets
from ci3.core.live.sources import LiveKind
from ci3.core.model.policy import Origin
from ci3.errors import SettingsError
from tests.support.paths import ROOT

PATH = ROOT / "docs" / "policy.schema.json"
SCHEMA = json.loads(PATH.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

TARGET = "targets:\n- bucket: a-site\n"

BOTH_ACCEPT = [
    "bucket: my-site",
    "keep-count: 1",
    "keep-count: 999999999",
    "keep-count:",
    "keep-daily: 0",
    "keep-weekly: 4\nkeep-monthly: 12",
    "keep-within: 14d",
    "keep-within: ''",
    "keep-within:",
    "keep-within: 0d",
    "comment: never",
    "comment:",
    "issue: always",
    "age-from: first-object",
    "max-delete: 20",
    "max-delete: 0",
    "max-delete: 100%",
    "max-delete: 0%",
    "max-delete: 007%",
    "max-delete: '20'",
    "max-delete: ''",
    "max-delete:",
    "max-delete-bytes: 100GB",
    "max-delete-bytes: 100 GB",
    "max-delete-bytes: 1.5GiB",
    "max-delete-bytes: 7kb",
    "max-delete-bytes: 0B",
    "protect: [1234567, 12e4567, true, null, a]",
    "protect: release-*",
    "protect: live/",
    "protect: |\n  one\n  two\n",
    "protect: []",
    "match: '[0-9]+'",
    r"group-by: (pr-\d+)-.*",
    "required-file: index.html",
    "required-file: a/..b/.c",
    "prefix: 2026",
    "prefix: a b/c/",
    *(f"live-from: {source}" for source in ("open-pull-requests", "branches", "cloudfront")),
    "live-from: [github-deployments, 'github-deployments:production']",
    "live-from: ssm:/my-site/live",
    "live-from: ssm:/my-site/live#commit",
    "live-from: object:version.json#build.commit",
    "live-from: url:https://www.example.org/version.json#commit",
    "live-from: url:http://[::1]:9000",
    "live-from: url:https://www.example.org/pkg@1/version?of=site",
    "live-from: url:https://www.example.org?of=site",
    "live-from: |\n  branches\n  cloudfront\n",
    "live-from: []",
    TARGET,
    f"{TARGET}- prefix: b\n  keep-count: 3\n",
    f"defaults:\n  keep-within: 14d\n  comment: always\n{TARGET}",
    f"{TARGET}defaults: {{plan-file: plan.json}}\n",
]

BOTH_REFUSE = [
    "{}",
    "[]",
    "bucket",
    "keep-cuont: 3",
    "mode: apply",
    "github-token: x",
    "policy-file: x",
    "keep-count: 0",
    "keep-count: '5'",
    "keep-count: 5.5",
    "keep-count: 1000000000",
    "keep-count: true",
    "keep-daily: -1",
    "keep-daily: 7.5",
    "keep-daily: '7'",
    "keep-daily: true",
    "keep-daily: [7]",
    "keep-within: 10",
    "keep-within: '10'",
    "keep-within: -3d",
    "keep-within: 3 days",
    "keep-within: 1.5d",
    "keep-within: 3D",
    "keep-within: true",
    "keep-within: [3d]",
    "keep-within: 9999999999d",
    "keep-within: \uff11\uff14d",
    "max-delete: 150%",
    "max-delete: 101%",
    "max-delete: -1",
    "max-delete: half",
    "max-delete: 1000000000",
    "max-delete: true",
    "max-delete-bytes: 100",
    "max-delete-bytes: '100'",
    "max-delete-bytes: -1GB",
    "max-delete-bytes: 1e3MB",
    "max-delete-bytes: 100GBs",
    "max-delete-bytes: {}",
    "comment: off",
    "comment: sometimes",
    "issue: sometimes",
    "age-from: spam",
    "age-from: Span",
    "protect: {a: b}",
    "protect: [[a]]",
    "protect: a/b",
    "protect: [a, /]",
    "bucket: [a, b]",
    "prefix: /app",
    "prefix: a//b",
    "prefix: /",
    "required-file: /index.html",
    "required-file: assets/",
    "required-file: a//b",
    "live-from: cloudfrnt",
    "live-from: CloudFront",
    "live-from: cloudfront:x",
    "live-from: branches:main",
    "live-from: 'github-deployments:'",
    "live-from: 'ssm:'",
    "live-from: 'ssm:#commit'",
    "live-from: object",
    "live-from: object:version.json#",
    "live-from: url:file:///etc/passwd",
    "live-from: url:www.example.org",
    "live-from: url:https://",
    "live-from: url:https://me:secret@www.example.org/",
    "live-from: [branches, cloudfrnt]",
    "live-from: {ssm: /live}",
    "targets: []",
    "targets: {}",
    "targets:",
    "targets: {bucket: a-site}",
    "targets: [a-site]",
    "targets: [{}]",
    "targets: [null]",
    "defaults: {keep-count: 3}",
    f"{TARGET}defaults: {{}}",
    f"{TARGET}defaults:",
    f"{TARGET}defaults: [keep-count]",
    f"{TARGET}keep-count: 3",
    f"{TARGET}bucket: b-site",
    f"{TARGET}  keep-cuont: 3",
    f"{TARGET}  keep-count: 0",
    f"{TARGET}  comment: never",
    f"{TARGET}  comment-id: a",
    f"{TARGET}  issue: always",
    f"{TARGET}  plan-file: plan.json",
    f"{TARGET}  journal-file: journal.jsonl",
    f"{TARGET}  targets: []",
    f"{TARGET}defaults: {{keep-cuont: 3}}",
    f"{TARGET}defaults: {{mode: apply}}",
    f"{TARGET}defaults: {{targets: []}}",
]

# What a schema cannot check: counts, patterns, comparisons, and the notation of YAML values.
ONLY_THE_READER_REFUSES = [
    "bucket: s3://a-site",
    "region: EU",
    "endpoint-url: minio",
    "required-file: ./index.html",
    "required-file: a/../b",
    "required-file: ..",
    "match: (",
    "group-by: (",
    "group-by: pr-.*",
    "keep-count: 0x10",
    "keep-within: 999999w",
    "protect: |\n  fine\n  a/b\n",
    "live-from: |\n  branches\n  cloudfrnt\n",
    "live-from: |\n  branches\n  branches\n",
    "live-from: [branches, branches]",
    "live-from: url:https://h:99999/",
    "live-from: [github-deployments, github-deployments]",
    f"{TARGET}- bucket: a-site\n",
    f"{TARGET}- bucket: a-site\n  prefix: app\n",
    "targets:\n- prefix: a\n- prefix: a\n",
]

# The reader ignores space around a quoted text; the schema does not.
ONLY_THE_READER_ACCEPTS = ["keep-within: ' 36h '", "max-delete: ' '"]


def is_read(content):
    bucket = RawSetting(texts=("my-site",), origin=Origin.INPUT, where="input bucket")
    try:
        resolve_targets({"bucket": bucket}, read_policy_text(content, "ci3.yml"), {})
    except SettingsError:
        return False
    return True


def is_valid(content):
    return VALIDATOR.is_valid(yaml.safe_load(content))


@pytest.mark.parametrize("content", BOTH_ACCEPT)
def test_schema_and_reader_accept(content):
    assert (is_read(content), is_valid(content)) == (True, True)


@pytest.mark.parametrize("content", BOTH_REFUSE)
def test_schema_and_reader_refuse(content):
    assert (is_read(content), is_valid(content)) == (False, False)


@pytest.mark.parametrize("content", ONLY_THE_READER_REFUSES)
def test_reader_refuses_what_the_schema_cannot_check(content):
    assert (is_read(content), is_valid(content)) == (False, True)


@pytest.mark.parametrize("content", ONLY_THE_READER_ACCEPTS)
def test_reader_accepts_space_that_the_schema_refuses(content):
    assert (is_read(content), is_valid(content)) == (True, False)


def list_refused(contents, folder):
    """Return the files that check-jsonschema refuses, which editors and commit hooks use."""
    paths = [folder / f"{number}.yml" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    program = [sys.executable, "-m", "check_jsonschema", "--output-format", "json"]
    completed = subprocess.run(
        [*program, "--schemafile", PATH, *paths], capture_output=True, text=True, check=False
    )
    report = json.loads(completed.stdout)
    assert not report.get("parse_errors")
    refused = {error["filename"] for error in report["errors"]}
    return [content for path, content in zip(paths, contents, strict=True) if str(path) in refused]


def test_schema_checker_accepts_what_the_reader_accepts(tmp_path):
    assert list_refused(BOTH_ACCEPT, tmp_path) == []


def test_schema_checker_refuses_what_the_reader_refuses(tmp_path):
    assert list_refused(BOTH_REFUSE, tmp_path) == BOTH_REFUSE


def test_published_schema_is_up_to_date():
    assert json.loads(build_policy_schema()) == SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["$defs"]["settings"]["properties"]) == set(POLICY_KEYS)


def test_every_key_is_described_and_a_target_has_no_keys_of_the_run():
    run_keys = {"comment", "comment-id", "issue", "plan-file", "journal-file", "timeout"}
    run_keys |= {"concurrency"}

    for name in POLICY_KEYS:
        assert SCHEMA["$defs"][name]["description"].startswith(SETTINGS_BY_NAME[name].doc)
    assert SCHEMA["$defs"]["target"]["properties"].keys() == set(POLICY_KEYS) - run_keys
    for shape in ("settings", "target"):
        for name, schema in SCHEMA["$defs"][shape]["properties"].items():
            assert schema == {"$ref": f"#/$defs/{name}"}


def test_schema_has_every_kind_of_live_source():
    pattern = SCHEMA["$defs"]["live-from"]["anyOf"][1]["items"]["pattern"]

    assert [kind for kind in LiveKind if kind not in pattern] == []


@pytest.mark.parametrize("content", ["a" * 50_000, "a " * 50_000, "a/" * 50_000, "\n" * 50_000])
@pytest.mark.parametrize("key", ["protect", "live-from", "prefix", "required-file", "keep-within"])
def test_long_text_is_validated_quickly(key, content):
    VALIDATOR.is_valid({key: content + "/"})
