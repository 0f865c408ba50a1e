"""The definition of a setting: its attributes and how it is declared."""

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, MISSING, dataclass, field, fields, replace
from enum import StrEnum
from functools import partial
from typing import Any, ParamSpec

from ci3.config.parsers import parse_choice, parse_count, parse_flag

_P = ParamSpec("_P")


class Kind(StrEnum):
    """The syntax of a value."""

    TEXT = "text"
    COUNT = "count"
    LIMIT = "limit"
    DURATION = "duration"
    SIZE = "size"
    FLAG = "flag"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Setting:
    """The definition of one setting.

    `parse` converts a text to a value. It raises ValueError with a predicate for the text, such as
    `is not a whole number`. `pattern` is a regular expression for the JSON Schema that a whole text
    must match, or empty; `minimum` is the smallest value of a count. `default` is `MISSING` if the
    setting is required.

    A setting that `is_run_wide` has the same value for all targets of a run. One that `is_unique`
    may not contain a value twice in one source. One that `is_recorded` is stored in plans and
    journals if it differs from the default, or if it is set at all and `is_default_recorded`. One
    that is not an `is_policy_key` can't be set in a policy file.
    """

    doc: str
    _: KW_ONLY
    name: str = ""
    parse: Callable[[str], object] = str
    kind: Kind = Kind.TEXT
    pattern: str = ""
    minimum: int = 0
    choices: Iterable[str] = ()
    has_option: bool = True
    option_aliases: tuple[str, ...] = ()
    default: object = ""
    default_doc: str = "–"
    action_default: str = ""
    is_policy_key: bool = True
    is_run_wide: bool = False
    is_unique: bool = False
    is_recorded: bool = False
    is_default_recorded: bool = False
    is_secret: bool = False

    @property
    def is_required(self) -> bool:
        """True if it must be set."""
        return self.default is MISSING

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


def _as_declaration(define: Callable[_P, Setting]) -> Callable[_P, Any]:
    """Return a function with the parameters of `define` that returns a dataclass field.

    Its result is typed like that of `dataclasses.field`, so that a field keeps its own type.
    """

    def declare(*args: _P.args, **kwargs: _P.kwargs) -> Any:  # noqa: ANN401 - see above
        setting = define(*args, **kwargs)
        return field(default=setting.default, metadata={"setting": setting})

    return declare


define_setting = _as_declaration(Setting)
"""Declares a dataclass field that holds the value of a setting; its name is that of the field."""

define_flag = partial(
    define_setting, parse=parse_flag, kind=Kind.FLAG, default=False, default_doc="false"
)
"""Declares a setting that is true or false."""

define_recorded = partial(define_setting, default=None, is_recorded=True)
"""Declares a setting that a plan records if it is set."""

define_period_count = partial(
    define_setting, parse=parse_count, kind=Kind.COUNT, default=0, is_recorded=True
)
"""Declares a keep rule that is a number of days, weeks or months."""


def define_choice(doc: str, default: StrEnum, **attributes: Any) -> Any:  # noqa: ANN401 - as above
    """Declare a setting that has one of the values of an enumeration."""
    return define_setting(
        doc,
        parse=parse_choice(type(default)),
        choices=type(default),
        default=default,
        default_doc=f"`{default}`",
        **attributes,
    )


def list_settings(settings_class: type) -> tuple[Setting, ...]:
    """Return the settings that a dataclass declares, in order, with their names."""
    return tuple(
        replace(field_.metadata["setting"], name=field_.name.replace("_", "-"))
        for field_ in fields(settings_class)
        if field_.metadata
    )
