"""The image: how it starts, what it contains, and what a workflow cannot change in it."""

import json
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from tests.support.github.fake_github import FakeGitHub
from tests.support.paths import ROOT
from tests.support.s3.moto_s3 import CREDENTIALS
from tests.system.container.image import (
    START_SECONDS,
    needs_image,
    read_configuration,
    run_action,
    run_command,
    run_python,
)

pytestmark = needs_image


def test_with_arguments_the_image_is_the_command():
    completed = run_command("--help")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "plan-cleanup" in completed.stdout


def test_command_without_arguments_prints_help():
    assert run_command().stdout == run_command("--help").stdout


@pytest.mark.parametrize("arguments", [("ci3", "--help"), ("sh", "-c", "ci3 --help")])
def test_command_may_be_written_as_for_a_shell(arguments):
    assert run_command(*arguments).stdout == run_command("--help").stdout


def test_credentials_are_read_from_the_mounted_aws_folder(bucket, tmp_path):
    for days, name in enumerate(("v2", "v1"), start=1):
        bucket.deploy(name, days=days)
    (tmp_path / "config").write_text(
        f"[profile site]\nregion = us-east-1\nendpoint_url = {bucket.endpoint_url}\n"
    )
    (tmp_path / "credentials").write_text(
        f"[site]\naws_access_key_id = {CREDENTIALS['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {CREDENTIALS['AWS_SECRET_ACCESS_KEY']}\n"
    )
    tmp_path.chmod(0o755)
    plan = f"plan-cleanup --bucket-name {bucket.name} --keep-count 1 --match 'v[0-9]+'"
    completed = run_command(
        *("sh", "-c", f"{plan} --output json"),
        env={"AWS_PROFILE": "site"},
        mounts={tmp_path: "/home/python/.aws"},
        options=["--user=1000:1000"],
    )
    assert completed.returncode == 0, completed.stderr
    plan = json.loads(completed.stdout)
    assert {item["name"]: item["decision"] for item in plan["deployments"]} == {
        "v2": "keep",
        "v1": "delete",
    }


def test_home_of_the_environment_is_kept():
    code = "import os; print(os.path.expanduser('~'))"
    assert run_python(code).stdout == "/home/python\n"
    assert run_python(code, env={"HOME": "/github/home"}).stdout == "/github/home\n"


def test_misspelt_input_with_a_hyphen_is_refused():
    completed = run_action({"INPUT_BUCKET": "a-bucket", "INPUT_KEEP-CUONT": "3"})
    assert completed.returncode == 2
    assert "keep-cuont" in (completed.stdout + completed.stderr).lower()
    assert "keep-count" in completed.stdout + completed.stderr


def test_container_of_these_tests_is_read_only_and_has_no_capabilities():
    completed = run_python(
        "import errno, pathlib\n"
        "try: pathlib.Path('/opt/ci3/new').touch()\n"
        "except OSError as error: print(errno.errorcode[error.errno])\n"
        "print(*{line.split()[1] for line in open('/proc/self/status') if line[:3] == 'Cap'})"
    )
    assert completed.stdout.split() == ["EROFS", "0000000000000000"], completed.stderr


def test_worker_reads_in_the_hardened_image(bucket):
    bucket.deploy("shop", days=1)
    completed = run_python(
        "from ci3.aws.bucket import BucketReader\n"
        "from contextlib import closing\n"
        "from ci3.engine.workers import worker_process\n"
        "from ci3.engine.inventory.folders import find_folders\n"
        "from ci3.engine.inventory.parallel_listing import ListSpans\n"
        f"reader = BucketReader(bucket={bucket.name!r}, region='', "
        f"endpoint_url={bucket.endpoint_url!r})\n"
        "folders = find_folders(reader, '')\n"
        "worker_process._count_cores = lambda: 2\n"
        "with closing(worker_process.start_worker(reader)) as worker:\n"
        "    listed = worker.call(ListSpans(folders=folders, required_file='', concurrency=2))\n"
        "print(*listed.summaries, listed.summaries['shop'].object_count)\n",
        env=CREDENTIALS,
    )
    assert completed.stdout.split() == ["shop", "3"], completed.stderr


def test_smoke_test_of_the_release_passes():
    completed = subprocess.run(
        [sys.executable, "-m", "tests.system.container.smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "journaled" in completed.stdout


def test_image_starts_with_no_shell_in_it():
    shells = ("/bin/sh", "/bin/bash", "/usr/bin/env")
    completed = run_command(
        "--help", options=[f"--volume=/dev/null:{shell}:ro" for shell in shells]
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "plan-cleanup" in completed.stdout


def test_action_starts_within_a_second():
    """Measure processor time: it depends little on the load of the machine."""
    completed = run_python(
        "import time, ci3.action.main\n"
        "code = ci3.action.main.main()\n"
        "print('exit code', code, 'after', time.process_time())"
    )
    *_, code, _, seconds = completed.stdout.split()
    assert code == "2", completed.stdout + completed.stderr
    assert float(seconds) < START_SECONDS


@pytest.mark.parametrize(
    "name",
    ["tests", "pip", "setuptools", "github", "pygments"],
)
def test_unused_package_is_not_in_the_image(name):
    completed = run_python(f"import {name}")
    assert "ModuleNotFoundError" in completed.stderr
    assert f"'{name}'" in completed.stderr


def test_runner_starts_python_without_a_shell():
    configuration = read_configuration()
    program = PurePosixPath(configuration["Entrypoint"][0])
    assert program.is_absolute()
    assert program.name.startswith("python")
    assert not configuration.get("Cmd")


def test_image_sets_no_user_and_no_working_folder():
    configuration = read_configuration()
    assert not configuration.get("User")
    assert configuration.get("WorkingDir", "") in ("", "/")


def test_image_imports_no_code_of_the_workspace(tmp_path: Path):
    trap = "import os; os.write(2, b'trapped\\n'); os._exit(99)\n"
    for module in ("sitecustomize", "usercustomize", "boto3", "botocore", "json", "ci3"):
        (tmp_path / module).mkdir()
        (tmp_path / module / "__init__.py").write_text(trap)
    workspace = "/github/workspace"
    completed = run_command(
        "--help",
        env={
            "PYTHONHOME": workspace,
            "PYTHONPATH": workspace,
            "PYTHONSTARTUP": f"{workspace}/ci3/__init__.py",
            "PYTHONPYCACHEPREFIX": workspace,
        },
        mounts={tmp_path: workspace},
        options=[f"--workdir={workspace}"],
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "plan-cleanup" in completed.stdout


def test_all_modules_that_an_apply_imports_are_compiled(bucket):
    for days, name in enumerate(("v2", "v1"), start=1):
        bucket.deploy(name, days=days)
    with FakeGitHub() as github:
        inputs = {"KEEP-COUNT": "1", "MODE": "apply", "GITHUB-TOKEN": github.token}
        completed = run_python(
            "import sys, pathlib, ci3.action.main\n"
            "code = ci3.action.main.main()\n"
            "modules = [m for m in sys.modules.values() if (getattr(m, '__cached__', None) or '')"
            ".startswith(sys.pycache_prefix)]\n"
            "slow = [m.__name__ for m in modules if not pathlib.Path(m.__cached__).exists()]\n"
            "print(code, len(modules) > 200, slow)",
            env={
                **CREDENTIALS,
                **bucket.inputs(),
                **{f"INPUT_{name}": value for name, value in inputs.items()},
                "GITHUB_API_URL": github.url,
                "GITHUB_REPOSITORY": github.repository,
            },
            options=["--workdir=/tmp"],
        )
    assert bucket.folders() == {"v2"}, completed.stdout + completed.stderr
    assert completed.stdout.splitlines()[-1] == "0 True []"


def test_every_module_can_be_imported():
    completed = run_python(
        "import ci3, importlib, pkgutil\n"
        "skipped = 'ci3.cli.demo', 'ci3.__main__'\n"
        "names = [module.name for module in pkgutil.walk_packages(ci3.__path__, 'ci3.')]\n"
        "print(len([importlib.import_module(name) for name in names if name not in skipped]) > 30)"
    )
    assert (completed.stdout, completed.stderr) == ("True\n", "")


@pytest.mark.parametrize("service", ["cloudfront", "s3", "signin", "ssm", "sso", "sso-oidc", "sts"])
def test_image_has_the_descriptions_of_the_services_that_ci3_uses(service):
    completed = run_python(
        f"import boto3\nboto3.Session().client({service!r}, region_name='eu-central-1')"
    )
    assert (completed.returncode, completed.stderr) == (0, "")
