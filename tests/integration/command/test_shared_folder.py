"""Two targets with a `match` each in one folder: the commands that only read name both."""

from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.s3.bucket import Bucket

PATTERNS = ("main..", "pr..")


@pytest.mark.parametrize("output", ["table", "markdown"])
@pytest.mark.parametrize(
    ("command", "patterns"),
    [
        (["list-deployments"], PATTERNS),
        (["explain", "pr-1"], PATTERNS[1:]),
        (["list-objects", "pr-1"], PATTERNS[1:]),
        (["doctor"], PATTERNS),
    ],
    ids=["list-deployments", "explain", "list-objects", "doctor"],
)
def test_each_target_is_shown_with_its_match(
    site: Bucket, capsys: pytest.CaptureFixture[str], command: list[str], patterns, output: str
) -> None:
    for days, name in enumerate(("main-1", "main-2", "pr-1", "pr-2"), start=1):
        site.deploy(name, days=days)
    targets = "".join(f"- {{match: '{pattern}'}}\n" for pattern in PATTERNS)
    Path("policy.yml").write_text(f"defaults: {{bucket: {site.name}}}\ntargets:\n{targets}")
    options = ["--policy-file", "policy.yml", "--endpoint-url", site.endpoint_url]
    assert main([*command, *options, "--output", output]) == 0
    shown = capsys.readouterr().out
    assert [pattern for pattern in PATTERNS if f"match: {pattern}" in shown] == [*patterns]
