"""Pointers with several names: all of them are kept; a missing or empty name refuses the plan."""

import json
from contextlib import closing

import boto3
import pytest
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from ci3.cli.main import main

OLD = ("ab12cd3", "9c41e07")
DOCUMENTS = {
    "lines": ("ab12cd3\n9c41e07\n", ""),
    "commas": ("ab12cd3, 9c41e07", ""),
    "spaces": ("ab12cd3 9c41e07", ""),
    "elements": (json.dumps({"releases": [{"commit": name} for name in OLD]}), "releases[].commit"),
    "keys with dots": (json.dumps({"my.app": {"live.now": OLD}}), "my.app.live.now"),
    "nested": (
        json.dumps({"sites": [{"live": [{"sha": name}]} for name in OLD]}),
        "sites[].live[].sha",
    ),
    "large": (json.dumps({"padding": "x" * 1_000_000, "live": OLD}), "live"),
}
GAPS = {
    "missing key": ({"releases": [{"commit": "ab12cd3"}, {"sha": "9c41e07"}]}, "releases[].commit"),
    "null": ({"releases": [{"commit": "ab12cd3"}, {"commit": None}]}, "releases[].commit"),
    "empty list": ({"releases": [{"commit": ["ab12cd3"]}, {"commit": []}]}, "releases[].commit"),
    "empty text": ({"live": ["ab12cd3", ""]}, "live"),
    "two meanings": ({"a": {"b": "ab12cd3"}, "a.b": "9c41e07"}, "a.b"),
    "too large": ({"live": ["ab12cd3"], "padding": "x" * (1 << 20)}, "live"),
}


@pytest.fixture
def site(site):
    for days, name in enumerate(("new", "junk", *OLD)):
        site.deploy(name, days=10 * days + 1)
    return site


def clean_up(site, source):
    command = ["cleanup", *site.options(), "--auto-approve", "--keep-count", "1", "--match", ".*"]
    return main([*command, "--live-from", source])


@pytest.mark.parametrize("shape", DOCUMENTS)
def test_every_deployment_that_an_object_names_is_kept(site, shape):
    text, path = DOCUMENTS[shape]
    site.put("live", body=text.encode())

    assert clean_up(site, f"object:live#{path}" if path else "object:live") == 0
    assert site.folders() == {"new", *OLD}


@pytest.mark.parametrize("gap", GAPS)
def test_document_with_a_missing_value_refuses_and_nothing_is_deleted(site, gap):
    document, path = GAPS[gap]
    site.put("live.json", body=json.dumps(document).encode())
    before = site.content()

    assert clean_up(site, f"object:live.json#{path}") == 4
    assert site.content() == before


@pytest.mark.parametrize("shape", ["lines", "commas", "elements", "keys with dots"])
def test_parameter_by_its_arn_is_read_in_its_region(site, s3_url, monkeypatch, shape):
    get_backend("ssm")[DEFAULT_ACCOUNT_ID]["eu-west-1"].reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", s3_url)
    text, path = DOCUMENTS[shape]
    with closing(boto3.client("ssm", endpoint_url=s3_url, region_name="eu-west-1")) as ssm:
        ssm.put_parameter(Name="/site/live", Value=text, Type="String")

    arn = f"arn:aws:ssm:eu-west-1:{DEFAULT_ACCOUNT_ID}:parameter/site/live"
    assert clean_up(site, f"ssm:{arn}#{path}" if path else f"ssm:{arn}") == 0
    assert site.folders() == {"new", *OLD}
