"""The shared caches return botocore's own results."""

import functools
import inspect

import botocore.session
import pytest
from botocore import handlers, hooks

from tests.support import botocore_caches

HANDLERS = [specification[1] for specification in handlers.BUILTIN_HANDLERS]
EVENTS = [specification[0] for specification in handlers.BUILTIN_HANDLERS]


def take_name(name):
    return name


def take_all(**values):
    return values


class Taker:
    def take_all(self, **values):
        return values

    def __call__(self, **values):
        return values


@pytest.mark.parametrize(
    "function",
    [*HANDLERS, take_name, take_all, Taker().take_all, Taker(), functools.partial(take_name)],
)
def test_handlers_are_classified_like_by_inspect(function):
    expected = inspect.getfullargspec(function).varkw is not None
    assert bool(botocore_caches._read_accepts_kwargs(function)) == expected


def test_event_names_equal_the_names_of_a_separate_cache():
    shared = hooks.EventAliaser(hooks.HierarchicalEmitter())
    separate = hooks.EventAliaser(hooks.HierarchicalEmitter())
    separate._alias_name_cache = {}

    assert shared._alias_name_cache is botocore_caches._event_names
    for event in (*EVENTS, *(f"before-call.{alias}.Get" for alias in hooks.EVENT_ALIASES)):
        assert shared._alias_event_name(event) == separate._alias_event_name(event)


def test_clients_share_a_model_only_if_its_json_is_the_same():
    session, other_session = botocore.session.get_session(), botocore.session.get_session()
    clients = [session.create_client("s3", region_name="us-east-1") for _ in range(2)]
    other_client = other_session.create_client("s3", region_name="us-east-1")

    assert clients[0].meta.service_model is clients[1].meta.service_model
    assert other_client.meta.service_model is not clients[0].meta.service_model


def test_methods_of_a_client_are_not_added_to_another_client():
    session, other_session = botocore.session.get_session(), botocore.session.get_session()

    def add_method(class_attributes, **_):
        class_attributes["added"] = take_name

    session.register("creating-client-class.s3", add_method)
    client = session.create_client("s3", region_name="us-east-1")
    loader = session.get_component("data_loader")
    other_session.register_component("data_loader", loader)
    other_client = other_session.create_client("s3", region_name="us-east-1")

    assert other_client.meta.service_model is client.meta.service_model
    assert type(other_client).list_objects_v2 is type(client).list_objects_v2
    assert hasattr(client, "added")
    assert not hasattr(other_client, "added")


def test_endpoint_rules_are_shared_by_their_json():
    session = botocore.session.get_session()
    clients = [
        session.create_client(service, region_name=region)
        for service in ("s3", "sts")
        for region in ("us-east-1", "eu-west-1")
    ]
    rule_sets = [client._ruleset_resolver._provider.ruleset for client in clients]

    assert rule_sets[0] is rule_sets[1] is not rule_sets[2] is rule_sets[3]
    assert [client.meta.endpoint_url for client in clients] == [
        "https://s3.amazonaws.com",
        "https://s3.eu-west-1.amazonaws.com",
        "https://sts.us-east-1.amazonaws.com",
        "https://sts.eu-west-1.amazonaws.com",
    ]


def test_other_aliases_use_a_separate_cache():
    aliaser = hooks.EventAliaser(hooks.HierarchicalEmitter(), {"s3": "storage"})

    assert aliaser._alias_event_name("before-call.s3") == "before-call.storage"
    assert aliaser._alias_name_cache is not botocore_caches._event_names
