"""The folders that a worker process reads for the parent."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ci3.engine.deletion import refresh
from ci3.engine.deletion.refresh import MAX_DEPLOYMENT_OBJECTS, ReadFolder, Refresher
from ci3.engine.inventory.listing import read_folder
from tests.support.builders import deployment


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("with_versions", [True, False])
def test_worker_reads_a_folder_as_the_parent_does(reader, with_versions):
    request = ReadFolder(prefix="shop-1/", with_versions=with_versions, max_objects=100)

    listed = request.respond(reader, lambda _: None)

    assert listed == read_folder(reader, "shop-1/", with_versions=with_versions)
    assert request.concurrency == 1


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("with_versions", [True, False])
@pytest.mark.parametrize(("maximum", "is_read"), [(4, True), (3, False)])
def test_worker_does_not_return_a_folder_that_has_grown_too_large(
    reader, with_versions, maximum, is_read
):
    request = ReadFolder(prefix="shop-1/", with_versions=with_versions, max_objects=maximum)

    assert (request.respond(reader, lambda _: None) is not None) is is_read


@pytest.mark.parametrize(
    ("object_count", "prefixes"),
    [(MAX_DEPLOYMENT_OBJECTS, ["old/"]), (MAX_DEPLOYMENT_OBJECTS + 1, [])],
)
def test_large_deployment_is_not_requested_from_the_worker(monkeypatch, object_count, prefixes):
    requests = []
    worker = SimpleNamespace(call=requests.append)  # returns None: the worker did not read it
    monkeypatch.setattr(refresh, "read_folder", lambda *_, **__: "read by the parent")
    large = replace(deployment("old", 9), object_count=object_count)

    listed = Refresher(SimpleNamespace(), worker).read(large, with_versions=False)

    assert listed == "read by the parent"
    assert [request.prefix for request in requests] == prefixes
