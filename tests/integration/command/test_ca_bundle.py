"""Servers with a certificate of a private authority that AWS_CA_BUNDLE contains."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.github.fake_github import REPOSITORY, TOKEN, FakeGitHub
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.tls import Authority, make_authority, running_tls
from tests.support.web_site import running_site

BUNDLE_SETTINGS = ("AWS_CA_BUNDLE", "profile", "REQUESTS_CA_BUNDLE")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "certs").mkdir()
    return make_authority(tmp_path / "certs")


@pytest.fixture
def tls_site(site: Bucket, authority: Authority) -> Iterator[Bucket]:
    """A bucket with three deployments, behind TLS and the proxy."""
    for days, name in enumerate(("new", "live", "old")):
        site.deploy(name, days=days + 1)
    with running_tls(site.endpoint_url, authority) as url:
        site.endpoint_url = url
        yield site


def trust(monkeypatch: pytest.MonkeyPatch, setting: str, path: str) -> None:
    if setting == "profile":
        Path("config").write_text(f"[default]\nca_bundle = {path}\n", encoding="utf-8")
        monkeypatch.setenv("AWS_CONFIG_FILE", "config")
    else:
        monkeypatch.setenv(setting, path)


def clean_up(site: Bucket, *options: str) -> int:
    argv = ["cleanup", *site.options(), "--keep-count", "1", "--auto-approve", *options]
    return main([*argv, "--journal-file", "journal.jsonl"])


@pytest.mark.parametrize("setting", BUNDLE_SETTINGS)
def test_bucket_with_a_private_authority_is_cleaned_up(
    tls_site: Bucket, monkeypatch, setting: str
) -> None:
    trust(monkeypatch, setting, "certs/ca.pem")

    assert clean_up(tls_site) == 0
    assert tls_site.folders() == {"new"}


def test_error_of_an_unknown_authority_names_the_bundle_variable(
    tls_site: Bucket, proxy: FaultProxy, pauses, capsys
) -> None:
    assert clean_up(tls_site) == 6
    assert "AWS_CA_BUNDLE" in capsys.readouterr().err
    assert not proxy.requests


@pytest.mark.parametrize("setting", BUNDLE_SETTINGS)
@pytest.mark.parametrize("file", ["missing.pem", "text.pem", "certs"])
def test_bundle_that_cannot_be_used_stops_before_any_request(  # noqa: PLR0917
    site: Bucket, proxy: FaultProxy, monkeypatch, capsys, setting: str, file: str
) -> None:
    """Also if the endpoint needs no bundle."""
    site.deploy("old", days=9)
    Path("text.pem").write_text("no certificate", encoding="utf-8")
    Path("certs").mkdir()
    trust(monkeypatch, setting, file)

    assert clean_up(site) == 6
    stderr = capsys.readouterr().err
    assert repr(file) in stderr
    assert ("ca_bundle" if setting == "profile" else setting) in stderr
    assert "Traceback" not in stderr
    assert not proxy.requests


@pytest.mark.parametrize(
    ("bundles", "exit_code"),
    [
        ({"AWS_CA_BUNDLE": "certs/ca.pem", "profile": "other/ca.pem"}, 0),
        ({"AWS_CA_BUNDLE": "other/ca.pem", "profile": "certs/ca.pem"}, 6),
        ({"AWS_CA_BUNDLE": "", "profile": "certs/ca.pem"}, 0),
        ({"profile": "certs/ca.pem", "REQUESTS_CA_BUNDLE": "other/ca.pem"}, 0),
        ({"profile": "other/ca.pem", "REQUESTS_CA_BUNDLE": "certs/ca.pem"}, 6),
        ({"AWS_CA_BUNDLE": " ", "REQUESTS_CA_BUNDLE": "certs/ca.pem"}, 0),
        ({"AWS_CA_BUNDLE": "", "REQUESTS_CA_BUNDLE": ""}, 6),
        ({"AWS_CA_BUNDLE": "", "profile": ""}, 6),
    ],
)
def test_first_bundle_that_is_set_is_used_and_certificates_are_always_verified(  # noqa: PLR0917
    tls_site: Bucket, tmp_path: Path, monkeypatch, pauses, bundles: dict[str, str], exit_code: int
) -> None:
    (tmp_path / "other").mkdir()
    make_authority(tmp_path / "other", "Another authority")
    for setting, path in bundles.items():
        trust(monkeypatch, setting, path)

    assert main(["list-deployments", *tls_site.options()]) == exit_code


@pytest.mark.parametrize("bundle", ["certs/ca.pem", ""])
def test_url_with_a_private_authority_is_read_as_a_live_source(
    site: Bucket, authority: Authority, monkeypatch, capsys, bundle: str
) -> None:
    for days, name in enumerate(("new", "live", "old")):
        site.deploy(name, days=days + 1)
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    with running_site() as web:
        web.answer("/live.txt", b"live\n")
        with running_tls(web.url, authority) as url:
            exit_code = clean_up(site, "--live-from", f"url:{url}/live.txt")

    if bundle:
        assert (exit_code, site.folders()) == (0, {"new", "live"})
    else:
        assert (exit_code, site.folders()) == (4, {"new", "live", "old"})
        assert "AWS_CA_BUNDLE" in capsys.readouterr().err


@pytest.mark.parametrize("bundle", ["certs/ca.pem", ""])
def test_github_with_a_private_authority_is_read_as_a_live_source(
    site: Bucket, authority: Authority, monkeypatch, capsys, bundle: str
) -> None:
    live = "ab12cd3" + "0" * 33
    for days, name in enumerate(("new", live, "old")):
        site.deploy(name, days=days + 1)
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    with FakeGitHub() as github, running_tls(github.url, authority) as url:
        github.content.branches["main"] = live
        monkeypatch.setenv("GITHUB_API_URL", url)
        exit_code = clean_up(site, "--live-from", "branches")

    if bundle:
        assert (exit_code, site.folders()) == (0, {"new", live})
    else:
        assert (exit_code, site.folders()) == (4, {"new", live, "old"})
        assert "AWS_CA_BUNDLE" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_bundle_of_a_private_bucket_does_not_replace_that_of_other_sites(
    tls_site: Bucket, tmp_path: Path, monkeypatch, setting: str
) -> None:
    """Here REQUESTS_CA_BUNDLE has the public authorities, such as that of github.com."""
    (tmp_path / "public").mkdir()
    public = make_authority(tmp_path / "public", "Public authority")
    monkeypatch.setenv("AWS_CA_BUNDLE", "certs/ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "public/ca.pem")
    with running_site() as web:
        web.answer("/live.txt", b"live\n")
        signer = (
            public
            if setting == "REQUESTS_CA_BUNDLE"
            else Authority(
                ca_bundle=tmp_path / "certs/ca.pem", certificate=tmp_path / "certs/server.pem"
            )
        )
        with running_tls(web.url, signer) as url:
            assert clean_up(tls_site, "--live-from", f"url:{url}/live.txt") == 0
    assert tls_site.folders() == {"new", "live"}
