"""Files, programs and services of the runner are not available in the action's container."""

from pathlib import Path

import pytest

from ci3.aws.bucket import BucketReader
from ci3.errors import AccessError
from tests.support.golden import assert_messages
from tests.support.s3.bucket import Bucket
from tests.unit.aws.credentials.sts import ROLE

RUNNER_TEMP = "/home/runner/work/_temp"
PROFILES = {
    "program": f"[default]\ncredential_process = {RUNNER_TEMP}/tool\n",
    "source": f"[default]\nrole_arn = {ROLE}\nweb_identity_token_file = {RUNNER_TEMP}/token\n",
}
CASES = {
    "profile of the runner": {"AWS_PROFILE": "deploy"},
    "token file of the runner": {
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{RUNNER_TEMP}/token",
        "AWS_ROLE_ARN": ROLE,
    },
    "token file is a folder": {"AWS_WEB_IDENTITY_TOKEN_FILE": "/", "AWS_ROLE_ARN": ROLE},
    "token file in a profile": {"AWS_CONFIG_FILE": "source"},
    "program of the runner": {"AWS_CONFIG_FILE": "program"},
    "token file of a pod": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{RUNNER_TEMP}/token",
    },
    "no credentials": {},
}


@pytest.fixture
def read(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that reads a bucket without keys, and returns the error."""
    for name, text in PROFILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    def read(variables: dict[str, str], endpoint_url: str = bucket.endpoint_url) -> AccessError:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            with pytest.raises(AccessError) as caught:
                list(
                    BucketReader(
                        bucket="my-site", region="us-east-1", endpoint_url=endpoint_url
                    ).list_pages("")
                )
        return caught.value

    return read


@pytest.mark.parametrize("name", CASES)
def test_missing_file_or_profile_is_an_error_that_names_it(read, name):
    error = read(CASES[name])

    files = ("AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    for variable in {*files} & {*CASES[name]}:
        assert CASES[name][variable] in error.message


def test_messages_are_the_golden_ones(read, closed_port_url: str):
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    cases = {name: read(variables) for name, variables in CASES.items()}
    cases["proxy of the runner"] = read(
        {**keys, "HTTP_PROXY": closed_port_url, "NO_PROXY": ""}, "http://s3.example.org"
    )
    cases["service of the runner"] = read(keys, closed_port_url)
    port = closed_port_url.rpartition(":")[2]
    assert_messages(
        __file__,
        {
            name: type(error)(error.message.replace(port, "PORT"), error.hint)
            for name, error in cases.items()
        }.items(),
    )
