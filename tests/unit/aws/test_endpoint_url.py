"""An endpoint URL of the AWS configuration is validated like the setting."""

from pathlib import Path

import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.client import make_service_client
from ci3.cli.main import main
from ci3.errors import AccessError, Ci3Error, SettingsError
from tests.support.golden import assert_messages

REFUSED_URLS = [
    "http://user:hunter2@s3.test:9000",
    "https://hunter2@s3.test",
    "http://user:hun/ter2@s3.test",
    "https://s3.test/?token=hunter2",
    "http://user:hunter2 @s3.test",
    "ftp://user:hunter2@s3.test",
    "user:hunter2@s3.test",
]
SOURCES = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "profile", "services"]


def configure(monkeypatch: pytest.MonkeyPatch, source: str, service: str, url: str) -> None:
    if source.startswith("AWS_"):
        monkeypatch.setenv(source.replace("S3", service.upper()), url)
        return
    text = (
        f"[default]\nendpoint_url = {url}\n"
        if source == "profile"
        else f"[default]\nservices = mine\n[services mine]\n{service} =\n  endpoint_url = {url}\n"
    )
    Path("aws-config").write_text(text, encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", "aws-config")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("url", REFUSED_URLS)
def test_endpoint_url_of_the_configuration_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    configure(monkeypatch, source, "s3", url)
    with pytest.raises(SettingsError, match=r"\bS3\b") as caught:
        BucketReader(bucket="my-site", region="eu-west-1", endpoint_url="")
    assert "ter2" not in caught.value.full_message


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("service", ["ssm", "sts", "cloudfront"])
def test_endpoint_urls_of_other_services_are_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, service
) -> None:
    monkeypatch.chdir(tmp_path)
    configure(monkeypatch, source, service, REFUSED_URLS[0])
    with pytest.raises(AccessError, match=rf"\b{service.upper()}\b") as caught:
        make_service_client(service, region="eu-west-1", operations=frozenset())
    assert "hunter2" not in caught.value.full_message


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("command", ["plan-cleanup", "cleanup", "doctor", "list-deployments"])
def test_commands_refuse_the_endpoint_url_before_any_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys, source: str, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    configure(monkeypatch, source, "s3", REFUSED_URLS[0])
    assert main([command, "--bucket-name", "my-site"]) == SettingsError.exit_code
    captured = capsys.readouterr()
    assert "S3" in captured.err
    assert "hunter2" not in captured.out + captured.err
    assert not [path for path in tmp_path.iterdir() if path.name != "aws-config"]


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_password_of_a_proxy_is_not_shown(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, f"{scheme}user:hunter2@127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("botocore.retryhandler.delay_exponential", lambda *_args: 0)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    reader = BucketReader(bucket="my-site", region="eu-west-1", endpoint_url="http://s3.test")
    with pytest.raises(Ci3Error) as caught:
        reader.list_keys("")
    assert "hunter2" not in caught.value.full_message


def test_message_is_the_golden_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", REFUSED_URLS[0])
    with pytest.raises(SettingsError) as caught:
        BucketReader(bucket="my-site", region="eu-west-1", endpoint_url="")
    assert_messages(__file__, [("URL with a password", caught.value)])
