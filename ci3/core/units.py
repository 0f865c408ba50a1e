"""Durations and sizes parsed from text; each value keeps its text."""

import re
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Self

DURATION_PATTERN = "[0-9]{1,6}[hdw]"
TIMEOUT_PATTERN = "[0-9]{1,6}[smh]"
SIZE_PATTERN = r"[0-9]{1,12}(\.[0-9]{1,6})? ?([KMGTPkmgtp][Ii]?[Bb]?|[Bb])"

MAXIMUM_DURATION = timedelta(days=36_500)
"""A longer duration is a typing error, and would exceed the range of `datetime`."""

_SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600}
_HOURS_PER_UNIT = {"h": 1, "d": 24, "w": 7 * 24}
_UNIT_PREFIXES = "BKMGTP"
"""The index is the power of 1000 or 1024."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A length of time, such as `36h`, `14d` or `8w`."""

    text: str
    length: timedelta

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse hours, days or weeks.

        Raises ValueError with a message that continues a sentence which begins with the text.
        """
        if not re.fullmatch(DURATION_PATTERN, text):
            problem = "has no unit" if text.isdecimal() else "is no duration"
            raise ValueError(f"{problem}; write whole hours, days or weeks: 36h, 14d, 8w")
        length = timedelta(hours=int(text[:-1]) * _HOURS_PER_UNIT[text[-1]])
        if length > MAXIMUM_DURATION:
            raise ValueError(f"is too long: at most {MAXIMUM_DURATION.days}d")
        return cls(text=text, length=length)

    @classmethod
    def parse_timeout(cls, text: str) -> Self:
        """Parse seconds, minutes or hours; raises ValueError as `parse` does."""
        if not re.fullmatch(TIMEOUT_PATTERN, text):
            problem = "has no unit" if text.isdecimal() else "is no length of time"
            raise ValueError(f"{problem}; write whole seconds, minutes or hours: 90s, 30m, 2h")
        return cls(
            text=text, length=timedelta(seconds=int(text[:-1]) * _SECONDS_PER_UNIT[text[-1]])
        )

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteSize:
    """A number of bytes, such as `100GB` (10⁹ bytes each) or `1.5GiB` (2³⁰ bytes each)."""

    text: str
    size_bytes: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a number with a unit.

        Raises ValueError with a message that continues a sentence which begins with the text.
        """
        match = re.fullmatch(SIZE_PATTERN, text)
        if not match:
            problem = "has no unit" if text.isdecimal() else "is no size"
            raise ValueError(f"{problem}; write a number with its unit: 500MB, 100GB, 1.5GiB")
        amount, unit = Fraction(text.removesuffix(match[2]).strip()), match[2].upper()
        base = 1024 if "I" in unit else 1000
        return cls(text=text, size_bytes=int(amount * base ** _UNIT_PREFIXES.index(unit[0])))

    def __str__(self) -> str:
        return self.text
