"""Errors: no secret of a URL is in a message, and sentences have a capital."""

import pytest

from ci3.config.settings import SETTINGS_BY_NAME
from ci3.errors import AccessError, Ci3Error, begin_sentence, describe_error, redact_secrets

SECRET_URLS = [
    "http://user:hunter2@s3.test:9000/site",
    "https://hunter2@s3.test/",
    "HTTPS://user:hunter2@s3.test",
    "http://user:hun/ter2/hunter2@s3.test",
    "http://user:hunter2@hunter2@s3.test",
    "socks5h://user:hunter2@proxy.test:1080",
    "https://s3.test/page?token=hunter2#name",
    "https://user:hunter2@s3.test/?X-Amz-Signature=hunter2",
]


@pytest.mark.parametrize("url", SECRET_URLS)
@pytest.mark.parametrize("text", ['Could not connect to "{}"', "{}: refused", "'{}' and '{}'"])
def test_secret_of_a_url_is_redacted(url: str, text: str) -> None:
    redacted = redact_secrets(text.format(url, url))
    assert "hunter2" not in redacted
    assert ".test" in redacted


@pytest.mark.parametrize(
    "text",
    ["s3://site/a@2/b?c", "user@host", "http://s3.test:9000/a", "arn:aws:iam::1:role/a@b", "a?b"],
)
def test_text_without_secrets_is_not_changed(text: str) -> None:
    assert redact_secrets(text) == text


def test_errors_redact_their_message_and_hint() -> None:
    error = AccessError(f"can't reach {SECRET_URLS[0]}", f"Check {SECRET_URLS[1]}.")
    for text in (error.message, error.hint, error.full_message, str(error), repr(error)):
        assert "hunter2" not in text
    assert "hunter2" not in describe_error(ValueError(SECRET_URLS[0]))
    assert "hunter2" not in str(Ci3Error(SECRET_URLS[3], ""))


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("the journal is in use", "The journal is in use"),
        ("interrupted", "Interrupted"),
        ("option --prefix: 'a//b' is wrong", "Option --prefix: 'a//b' is wrong"),
        ("", ""),
    ],
)
def test_message_begins_with_a_capital(message: str, sentence: str) -> None:
    assert begin_sentence(message) == sentence


@pytest.mark.parametrize("name", [*SETTINGS_BY_NAME, "ci3", "policy.yml,", "run/", "s3://run"])
def test_name_at_the_beginning_of_a_message_is_not_capitalized(name: str) -> None:
    assert begin_sentence(f"{name} is wrong") == f"{name} is wrong"
