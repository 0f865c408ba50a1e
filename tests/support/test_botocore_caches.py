"""The shared caches give botocore's own results."""

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
def test_handlers_are_classified_as_by_inspect(function):
    expected = inspect.getfullargspec(function).varkw is not None
    assert bool(botocore_caches._read_accepts_kwargs(function)) == expected


def test_event_names_are_those_of_a_separate_cache():
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


def test_other_aliases_use_a_cache_of_their_own():
    aliaser = hooks.EventAliaser(hooks.HierarchicalEmitter(), {"s3": "storage"})

    assert aliaser._alias_event_name("before-call.s3") == "before-call.storage"
    assert aliaser._alias_name_cache is not botocore_caches._event_names
