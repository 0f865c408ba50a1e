"""The options --profile, --quiet and --verbose."""

import os
import subprocess
import sys

import pytest

from ci3.cli.main import main
from tests.support.paths import ROOT


@pytest.fixture
def run(site, tmp_path):
    """Run a command on a bucket with two deployments in a process of its own."""
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
    done = run("list-deployments", "--profile", "site", env=env)
    assert done.returncode == 0, done.stderr
    signatures = [request.headers["Authorization"] for request in proxy.requests]
    assert signatures
    assert all("Credential=key-of-profile/" in signature for signature in signatures)


def test_missing_profile_is_an_error_without_a_traceback(run):
    done = run("list-deployments", "--profile", "missing")
    assert done.returncode == 6
    assert "missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_quiet_plan_shows_the_result_without_progress_and_table(run):
    done = run("plan-cleanup", "--match", "v.*", "--keep-count", "1", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert "v1" not in done.stdout
    assert "1 of 2" in done.stdout


def test_quiet_cleanup_shows_the_plan_that_it_asks_about(run):
    done = run("cleanup", "--match", "v.*", "--keep-count", "1", "--quiet")
    assert done.returncode == 4
    assert "v1" in done.stdout


def test_verbose_logs_each_request(run):
    plain = run("list-deployments")
    done = run("list-deployments", "--verbose")
    assert done.stdout == plain.stdout
    assert "list-type=2" not in plain.stderr
    assert "list-type=2" in done.stderr
    assert "Authorization" not in done.stderr
    assert "Signature" not in done.stderr


def test_flags_of_one_run_do_not_reach_the_next(bucket, capsys):
    for days, name in enumerate(("v2", "v1"), start=1):
        bucket.deploy(name, days=days)
    target = ["--bucket-name", bucket.name, "--endpoint-url", bucket.endpoint_url]
    plan = ["plan-cleanup", "--match", "v.*", "--keep-count", "1", *target]
    assert main([*plan, "--quiet"]) == 0
    assert "v1" not in capsys.readouterr().out
    assert main(plan) == 0
    assert "v1" in capsys.readouterr().out
