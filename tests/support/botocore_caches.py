"""Share results that botocore computes for each session, because a test run opens thousands.

Only pure functions of their arguments are cached: the events' names, and whether a handler takes
`**kwargs`. Sessions, clients and their state stay separate.
"""

import inspect
from collections.abc import Callable

from botocore import hooks

_event_names: dict[str, str] = {}
_reset_aliaser = hooks.EventAliaser.__init__
_accepts_kwargs = hooks.accepts_kwargs


def share_botocore_caches() -> None:
    """Make sessions that open from now on in this process start faster."""
    hooks.EventAliaser.__init__ = _share_event_names
    hooks.accepts_kwargs = _read_accepts_kwargs


def _share_event_names(
    aliaser: hooks.EventAliaser, event_emitter: object, event_aliases: dict | None = None
) -> None:
    _reset_aliaser(aliaser, event_emitter, event_aliases)
    if aliaser._event_aliases == hooks.EVENT_ALIASES:
        aliaser._alias_name_cache = _event_names


def _read_accepts_kwargs(function: Callable[..., object]) -> object:
    """Return what `inspect.getfullargspec` says, from the flags of a Python function's code."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return _accepts_kwargs(function)
    return bool(code.co_flags & inspect.CO_VARKEYWORDS)
