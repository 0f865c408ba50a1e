"""The definition of a setting: its attributes and how it is declared."""

from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The syntax of a value."""

    TEXT = "text"
    COUNT = "count"
    LIMIT = "limit"
    DURATION = "duration"
    SIZE = "size"
    FLAG = "flag"
    LINES = "lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The definition of one setting.

    `parse` converts a text to a value. It raises ValueError with a predicate for the text, such as
    `is not a whole number`. `pattern` is a regular expression for the JSON Schema that a whole text
    must match, or empty; `minimum` is the smallest value of a count.

    A setting that `is_run_wide` has the same value for all targets of a run. One that `is_unique`
    may not contain a value twice in one source. One that `is_recorded` is stored in plans and
    journals. One that is not an `is_policy_key` can't be set in a policy file.
    """

    name: str
    doc: str
    parse: Callable[[str], object]
    kind: Kind
    pattern: str
    minimum: int
    choices: tuple[str, ...]
    has_option: bool
    option_aliases: tuple[str, ...]
    default: object
    default_doc: str
    action_default: str
    is_required: bool
    is_policy_key: bool
    is_run_wide: bool
    is_unique: bool
    is_recorded: bool
    is_secret: bool

    @property
    def field_name(self) -> str:
        """The name as a Python identifier."""
        return self.name.replace("-", "_")

    @property
    def options(self) -> tuple[str, ...]:
        """The options of the command line that set it: aliases first, then the one of its name."""
        return (*self.option_aliases, f"--{self.name}") if self.has_option else ()

    @property
    def is_repeatable(self) -> bool:
        """True if it holds several values: one per line, or a repeated option."""
        return self.kind is Kind.LINES


def define_setting(  # noqa: PLR0913 - one parameter for each attribute of Setting
    doc: str,
    *,
    parse: Callable[[str], object] = str,
    kind: Kind = Kind.TEXT,
    pattern: str = "",
    minimum: int = 0,
    choices: Iterable[str] = (),
    has_option: bool = True,
    option_aliases: tuple[str, ...] = (),
    default: object = MISSING,
    default_doc: str = "–",
    action_default: str = "",
    is_policy_key: bool = True,
    is_run_wide: bool = False,
    is_unique: bool = False,
    is_recorded: bool = False,
    is_secret: bool = False,
) -> Any:  # noqa: ANN401 - like dataclasses.field, so that a field keeps its own type
    """Declare a dataclass field that holds the value of a setting."""
    definition = {
        "doc": doc,
        "parse": parse,
        "kind": kind,
        "pattern": pattern,
        "minimum": minimum,
        "choices": tuple(choices),
        "has_option": has_option,
        "option_aliases": option_aliases,
        "default": default,
        "default_doc": default_doc,
        "action_default": action_default,
        "is_required": default is MISSING,
        "is_policy_key": is_policy_key,
        "is_run_wide": is_run_wide,
        "is_unique": is_unique,
        "is_recorded": is_recorded,
        "is_secret": is_secret,
    }
    return field(default=default, metadata=definition)
