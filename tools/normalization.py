"""Replaces values that differ from run to run, and reduces JSON schemas to their structure."""

import re
from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

_RUN_ID = re.compile(r"\b(20\d{6}T\d{6}Z)-([0-9a-f]{8})\b")
_DELIMITER = re.compile(r"\bghadelimiter_[0-9a-f-]{32,36}")
_TEMPORARY_FOLDER = re.compile(r"(?<=/)tmp[a-z0-9_]{8}(?=/)")
_LOOPBACK_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")

_DEFINITION = "#/$defs/"
_ANNOTATIONS = ("$defs", "title", "description")
_NAMED_SCHEMAS = ("properties", "patternProperties")
_LITERALS = ("const", "enum", "default", "examples")


class Normalizer:
    """Replaces random values with placeholders, numbered in the order of their first appearance.

    `paths` maps folders to their placeholders. The clock of a recorded process is fixed, so that
    times are not replaced: of a run id, only the random part is.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = dict(sorted(paths.items(), key=lambda entry: len(entry[0]), reverse=True))
        self._numbers: dict[str, int] = {}

    def normalize(self, text: str) -> str:
        """Return text with placeholders, and with control characters written as escapes."""
        for path, placeholder in self._paths.items():
            text = text.replace(path, placeholder)
        text = _RUN_ID.sub(lambda match: f"{match[1]}-<random-{self._number(match[2])}>", text)
        text = _DELIMITER.sub("<delimiter>", text)
        text = _TEMPORARY_FOLDER.sub("<temporary>", text)
        text = _LOOPBACK_PORT.sub("<port>", text)
        return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)

    def _number(self, value: str) -> int:
        return self._numbers.setdefault(value, len(self._numbers) + 1)


def reduce_schema(schema: dict[str, Json]) -> Json:
    """Return a JSON schema without titles and descriptions, with its definitions inlined."""
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, dict):
        raise TypeError("$defs is not an object")
    return _reduce(schema, definitions)


def _reduce(node: Json, definitions: dict[str, Json]) -> Json:
    if isinstance(node, list):
        return [_reduce(item, definitions) for item in node]
    if isinstance(node, str) and node.startswith(_DEFINITION):
        return _reduce(definitions[node.removeprefix(_DEFINITION)], definitions)
    if not isinstance(node, dict):
        return node
    reduced: dict[str, Json] = {}
    for keyword, value in node.items():
        if keyword in _LITERALS:
            reduced[keyword] = value
        elif keyword in _NAMED_SCHEMAS and isinstance(value, dict):
            reduced[keyword] = {name: _reduce(item, definitions) for name, item in value.items()}
        elif keyword == "$ref":
            definition = _reduce(value, definitions)
            reduced |= definition if isinstance(definition, dict) else {keyword: definition}
        elif keyword not in _ANNOTATIONS:
            reduced[keyword] = _reduce(value, definitions)
    return reduced
