"""The policy file's JSON Schema, for editors: it says of a file what a schema can say."""

import json
from collections.abc import Iterable
from typing import assert_never

from ci3.config.fields import Kind, Setting
from ci3.config.policy_file import DEFAULTS, NEVER_EMPTY, POLICY_KEYS, TARGETS
from ci3.config.settings import BY_NAME

_MOST = 10**9 - 1
_SCALAR = ["string", "number", "boolean", "null"]


def policy_schema() -> str:
    """Write the policy file's JSON Schema, as published in docs/policy.schema.json."""
    for_a_target = [name for name in POLICY_KEYS if not BY_NAME[name].is_for_run]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A policy file of ci3",
        "description": f"Settings for one run, or `{TARGETS}` with settings of each.",
        "oneOf": [{"$ref": "#/$defs/settings"}, {"$ref": "#/$defs/settings-of-targets"}],
        "$defs": {
            "settings": _mapping(POLICY_KEYS),
            "settings-of-targets": _settings_of_targets(),
            "target": _mapping(for_a_target),
            **{name: _value(BY_NAME[name]) for name in POLICY_KEYS},
        },
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _mapping(names: Iterable[str]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in names},
        "additionalProperties": False,
        "minProperties": 1,
    }


def _settings_of_targets() -> dict[str, object]:
    return {
        "type": "object",
        "properties": {
            DEFAULTS: {
                "description": "Settings of every target; what a target says itself goes first, "
                "and lists add up.",
                "$ref": "#/$defs/settings",
            },
            TARGETS: {
                "description": "The buckets or prefixes of the run, with the settings of each.",
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/$defs/target"},
            },
        },
        "required": [TARGETS],
        "additionalProperties": False,
    }


def _value(setting: Setting) -> dict[str, object]:
    default = (
        "" if setting.default_doc in ("–", "required") else f" Default: {setting.default_doc}."
    )
    return {"description": setting.doc + default, **_shape(setting)}


def _shape(setting: Setting) -> dict[str, object]:  # noqa: PLR0911 - one for each kind
    if setting.choices:
        return {"enum": [*setting.choices, None]}
    if setting.name in NEVER_EMPTY:
        types = [one for one in _SCALAR if one != "null"]
        return {"type": types, "pattern": f"^({setting.pattern or '.+'})$"}
    pattern = {"pattern": f"^({setting.pattern})?$"} if setting.pattern else {}
    match setting.kind:
        case Kind.TEXT | Kind.FLAG:
            return {
                "type": _SCALAR if setting.kind is Kind.TEXT else ["boolean", "null"],
                **pattern,
            }
        case Kind.COUNT:
            return {"type": ["integer", "null"], "minimum": setting.minimum, "maximum": _MOST}
        case Kind.LIMIT:
            whole = {"minimum": setting.minimum, "maximum": _MOST}
            return {"type": ["integer", "string", "null"], **whole, **pattern}
        case Kind.DURATION | Kind.SIZE:
            return {"type": ["string", "null"], **pattern}
        case Kind.LINES:
            several = {"type": "array", "items": {"type": _SCALAR, **pattern}}
            # Of a text of several lines the schema says nothing: one pattern for all of them would
            # take an editor exponential time.
            lines = {name: rf"{text}|\n" for name, text in pattern.items()}
            return {"anyOf": [{"type": _SCALAR, **lines}, several]}
    assert_never(setting.kind)
