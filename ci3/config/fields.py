"""What the definition of a setting holds."""

from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """How a value is written."""

    TEXT = "text"
    COUNT = "count"
    LIMIT = "limit"
    DURATION = "duration"
    SIZE = "size"
    FLAG = "flag"
    LINES = "lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting's definition.

    `parse` makes the value of one text and raises ValueError with words that follow the text, such
    as `is not a whole number`. `pattern` says of one text, in full, what a JSON Schema can say, or
    is empty; `minimum` is a count's. `options` is empty where the command line has none. What
    `is_for_run` can't differ between the targets of one run. What `is_unique` can't be named twice
    in one place.
    """

    name: str
    doc: str
    parse: Callable[[str], object]
    kind: Kind
    pattern: str
    minimum: int
    choices: tuple[str, ...]
    options: tuple[str, ...]
    default: object
    default_doc: str
    action_default: str
    is_required: bool
    is_policy_key: bool
    is_for_run: bool
    is_unique: bool
    is_recorded: bool
    is_secret: bool

    @property
    def field(self) -> str:
        """The name as Python spells it."""
        return self.name.replace("-", "_")

    @property
    def is_repeatable(self) -> bool:
        """Whether it holds several values: one a line, or a repeated option."""
        return self.kind is Kind.LINES


def define(  # noqa: PLR0913 - a definition has as many parts as it has
    doc: str,
    *,
    parse: Callable[[str], object] = str,
    kind: Kind = Kind.TEXT,
    pattern: str = "",
    minimum: int = 0,
    choices: Iterable[str] = (),
    options: tuple[str, ...] = (),
    default: object = MISSING,
    default_doc: str = "–",
    action_default: str = "",
    is_policy_key: bool = True,
    is_for_run: bool = False,
    is_unique: bool = False,
    is_recorded: bool = False,
    is_secret: bool = False,
) -> Any:  # noqa: ANN401 - like dataclasses.field, so that a field keeps its own type
    """Define a setting, as the field of a dataclass that holds its value."""
    definition = {
        "doc": doc,
        "parse": parse,
        "kind": kind,
        "pattern": pattern,
        "minimum": minimum,
        "choices": tuple(choices),
        "options": options,
        "default": default,
        "default_doc": default_doc,
        "action_default": action_default,
        "is_required": default is MISSING,
        "is_policy_key": is_policy_key,
        "is_for_run": is_for_run,
        "is_unique": is_unique,
        "is_recorded": is_recorded,
        "is_secret": is_secret,
    }
    return field(default=default, metadata=definition)
