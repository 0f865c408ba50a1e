"""Share results that botocore computes for each session, because a test run opens thousands.

Only pure functions of their arguments are cached: the events' names, whether a handler takes
`**kwargs`, the shapes of a service's model, the methods that a client has for its operations, and
the rules for its endpoint. Sessions, clients and their state stay separate.
"""

import inspect
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from botocore import endpoint_provider, hooks
from botocore.client import ClientCreator
from botocore.endpoint_provider import RuleSet
from botocore.model import ServiceModel

_lock = Lock()
_event_names: dict[str, str] = {}
_reset_aliaser = hooks.EventAliaser.__init__
_accepts_kwargs = hooks.accepts_kwargs
_load_service_model = ClientCreator._load_service_model
_service_models: OrderedDict[tuple[str, int], ServiceModel] = OrderedDict()
"""Models by service and by the identity of the loaded JSON, which a model keeps alive.

The least recently used models are dropped: sessions that load the JSON again use more memory.
"""
_MAX_SERVICE_MODELS = 8
_create_methods = ClientCreator._create_methods
_rule_sets: OrderedDict[tuple[int, ...], tuple[RuleSet, object]] = OrderedDict()
"""Endpoint rules by the identities of the loaded JSON, with that JSON, to keep it alive."""
_MAX_RULE_SETS = 8


def share_botocore_caches() -> None:
    """Share the caches between all sessions that this process opens later."""
    hooks.EventAliaser.__init__ = _share_event_names
    hooks.accepts_kwargs = _read_accepts_kwargs
    ClientCreator._load_service_model = _share_service_model
    ClientCreator._create_methods = _share_methods
    endpoint_provider.RuleSet = _share_rule_set


def _share_event_names(
    aliaser: hooks.EventAliaser, event_emitter: object, event_aliases: dict | None = None
) -> None:
    _reset_aliaser(aliaser, event_emitter, event_aliases)
    if aliaser._event_aliases == hooks.EVENT_ALIASES:
        aliaser._alias_name_cache = _event_names


def _share_service_model(creator: ClientCreator, service_name: str, *args: object) -> ServiceModel:
    model = _load_service_model(creator, service_name, *args)
    key = (service_name, id(model._service_description))
    with _lock:
        shared_model = _service_models.setdefault(key, model)
        _service_models.move_to_end(key)
        if len(_service_models) > _MAX_SERVICE_MODELS:
            _service_models.popitem(last=False)
    return shared_model


def _share_methods(creator: ClientCreator, service_model: ServiceModel) -> dict[str, Callable]:
    """Return a copy: botocore adds the methods of `boto3` to it."""
    with _lock:
        if not hasattr(service_model, "shared_methods"):
            service_model.shared_methods = _create_methods(creator, service_model)
    return dict(service_model.shared_methods)


def _share_rule_set(**data: object) -> RuleSet:
    key = tuple(map(id, data.values()))
    with _lock:
        if key not in _rule_sets:
            _rule_sets[key] = RuleSet(**data), data
        _rule_sets.move_to_end(key)
        if len(_rule_sets) > _MAX_RULE_SETS:
            _rule_sets.popitem(last=False)
        return _rule_sets[key][0]


def _read_accepts_kwargs(function: Callable[..., object]) -> object:
    """Return whether a function takes `**kwargs`, by the flags of its code instead of `inspect`."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return _accepts_kwargs(function)
    return bool(code.co_flags & inspect.CO_VARKEYWORDS)
