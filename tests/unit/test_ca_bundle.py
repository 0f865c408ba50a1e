"""A CA bundle is checked before it is used."""

import os
import re
import ssl
from pathlib import Path

import pytest

from ci3.ca_bundle import find_ca_bundle, make_tls_context
from ci3.errors import AccessError
from tests.support.tls import make_authority

SOURCE = "ca_bundle in the AWS profile"


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({}, ""),
        ({"AWS_CA_BUNDLE": ""}, ""),
        ({"AWS_CA_BUNDLE": " \n"}, ""),
        ({"AWS_CA_BUNDLE": "certs/a b.pem"}, "certs/a b.pem"),
        ({"REQUESTS_CA_BUNDLE": "ca.pem"}, ""),
    ],
)
def test_blank_variable_is_no_bundle(environ, path) -> None:
    assert find_ca_bundle(environ) == path


def test_context_trusts_only_the_bundle_and_checks_host_names(tmp_path: Path) -> None:
    context = make_tls_context(str(make_authority(tmp_path).ca_bundle))

    assert context.cert_store_stats()["x509"] == 1
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    "name",
    [
        "missing.pem",
        ".",
        "text.pem",
        "empty.pem",
        "key.pem",
        "cut.pem",
        "a\0b",
        "\udcff",
        "\x1b[2J",
    ],
)
def test_error_of_an_invalid_bundle_has_its_path_and_source(tmp_path: Path, name: str) -> None:
    authority = make_authority(tmp_path)
    (tmp_path / "text.pem").write_text("no certificate")
    (tmp_path / "empty.pem").touch()
    certificate, key = authority.certificate.read_text().split("-----BEGIN PRIVATE", 1)
    (tmp_path / "key.pem").write_text(f"-----BEGIN PRIVATE{key}")
    (tmp_path / "cut.pem").write_text(certificate[: len(certificate) // 2])

    with pytest.raises(AccessError) as caught:
        make_tls_context(name, SOURCE)
    assert repr(name) in caught.value.message
    assert SOURCE in caught.value.message
    assert "\x1b" not in caught.value.message


def test_error_of_an_unreadable_bundle_has_its_path_and_the_cause(
    tmp_path: Path, monkeypatch
) -> None:
    path = make_authority(tmp_path).ca_bundle

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, os.strerror(13), str(path))

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", deny)
    with pytest.raises(AccessError, match=re.escape(str(path))) as caught:
        make_tls_context(str(path))
    assert os.strerror(13) in caught.value.message
