"""Readers of values in messages; tests of them do not depend on the wording."""

import re


def numbers_in(message: str) -> list[int]:
    """Return the numbers in a message, but not the digits of names, paths and times.

    `ci3.yml, line 3: 12,345 keys of pr-7 at 12:00` returns 3 and 12345.
    """
    numbers = re.findall(r"(?<![\w./-])(?<!\d:)\d+(?:,\d{3})*(?![\w/-]|[.:]\d)", message)
    return [int(number.replace(",", "")) for number in numbers]


def words_in(message: str) -> set[str]:
    """Return the words of a message, such as names, without punctuation around them."""
    return {word.strip("`'\"(),;:.") for word in message.split()}
