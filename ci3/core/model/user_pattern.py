"""A regular expression from the settings, with a timeout so that it cannot hang a run."""

import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from ci3.errors import RefusedError

if TYPE_CHECKING:
    import regex

TIMEOUT_SECONDS = 2.0
"""For one name; a pattern that is not pathological takes microseconds."""

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_LITERAL_BRACE = re.compile(r"\{(?![0-9]*(,[0-9]*)?\})")


@dataclass(frozen=True, slots=True)
class UserPattern:
    """A regular expression in the syntax of Python's `re`, executed by `regex` with a timeout.

    `re` has no timeout: `(a+)+` takes hours on some names of 40 characters.
    """

    pattern: str
    groups: int
    timeout_seconds: float
    _compiled: "regex.Pattern[str]" = field(repr=False, compare=False)

    @classmethod
    def compile(cls, text: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Self:
        r"""Compile a pattern; raises ValueError with a predicate for the text.

        Refused is what `re` refuses or warns of, such as `[[:alpha:]]`: Python warns if a pattern
        does not mean what it seems to, or will change its meaning. So is a brace that repeats
        nothing: `a{e}` is three literal characters for `re`, and an approximate match for `regex`.
        """
        import regex  # noqa: PLC0415 - few runs have a pattern

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                re.compile(text)
                if _LITERAL_BRACE.search(_ESCAPED.sub("", text)):
                    raise ValueError(r"contains a brace that is not a repetition; write \{")
                compiled = regex.compile(text, regex.VERSION0)
        except (re.error, regex.error, OverflowError, RecursionError, Warning) as exc:
            raise ValueError(f"is not a regular expression: {exc}") from exc
        return cls(text, compiled.groups, timeout_seconds, compiled)

    def fullmatch(self, name: str) -> "regex.Match[str] | None":
        """Match the full name; raises RefusedError on a timeout, which is neither yes nor no."""
        try:
            return self._compiled.fullmatch(name, timeout=self.timeout_seconds)
        except TimeoutError as exc:
            raise RefusedError(
                f"the regular expression {self.pattern!r} took more than "
                f"{self.timeout_seconds:g} seconds on the name {name!r}",
                "Avoid a repetition inside a repetition: write a+ instead of (a+)+. "
                "Nothing was deleted.",
            ) from exc

    def __str__(self) -> str:
        return self.pattern
