"""The options --profile, --quiet and --verbose."""

import os
import subprocess
import sys

import pytest

from ci3.cli.main import main
from tests.support.paths import ROOT


@pytest.fixture
def run(site, tmp_path):
    """Return a function that runs a command on two deployments in a separate process."""
    for days, name in enumerate(("v2", "v1"), start=1):
        site.deploy(name, days=days)

    def run(*arguments, env=None):
        return subprocess.run(
            [
                *(sys.executable, "-m", "ci3", *arguments, "--bucket-name", site.name),
                *("--endpoint-url", site.endpoint_url),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **(env or {})},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_profile_overrides_credentials_in_the_environment(run, proxy, tmp_path):
    path = tmp_path / "credentials"
    path.write_text("[site]\naws_access_key_id = key-of-profile\naws_secret_access_key = secret\n")
    env = {"AWS_SHARED_CREDENTIALS_FILE": str(path), "AWS_PROFILE": "other"}
    completed = run("list-deployments", "--profile", "site", env=env)
    assert completed.returncode == 0, completed.stderr
    signatures = [request.headers["Authorization"] for request in proxy.requests]
    assert signatures
    assert all("Credential=key-of-profile/" in signature for signature in signatures)


def test_missing_profile_is_an_error_without_a_traceback(run):
    completed = run("list-deployments", "--profile", "missing")
    assert completed.returncode == 6
    assert "missing" in completed.stderr
    assert "Traceback" not in completed.stderr


def test_quiet_plan_shows_the_result_without_progress_and_table(run):
    completed = run("plan-cleanup", "--match", "v.*", "--keep-count", "1", "--quiet")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "v1" not in completed.stdout
    assert "1 of 2" in completed.stdout


def test_quiet_cleanup_shows_the_plan_that_it_asks_about(run):
    completed = run("cleanup", "--match", "v.*", "--keep-count", "1", "--quiet")
    assert completed.returncode == 4
    assert "v1" in completed.stdout


def test_verbose_logs_each_request(run):
    without_verbose = run("list-deployments")
    completed = run("list-deployments", "--verbose")
    assert completed.stdout == without_verbose.stdout
    assert "list-type=2" not in without_verbose.stderr
    assert "list-type=2" in completed.stderr
    assert "Authorization" not in completed.stderr
    assert "Signature" not in completed.stderr


def test_flags_of_one_run_do_not_reach_the_next(bucket, capsys):
    for days, name in enumerate(("v2", "v1"), start=1):
        bucket.deploy(name, days=days)
    target = ["--bucket-name", bucket.name, "--endpoint-url", bucket.endpoint_url]
    plan = ["plan-cleanup", "--match", "v.*", "--keep-count", "1", *target]
    assert main([*plan, "--quiet"]) == 0
    assert "v1" not in capsys.readouterr().out
    assert main(plan) == 0
    assert "v1" in capsys.readouterr().out
