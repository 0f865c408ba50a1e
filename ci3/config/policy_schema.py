"""The JSON Schema of policy files, with which editors check them."""

import json
from collections.abc import Iterable
from typing import assert_never

from ci3.config.fields import Kind, Setting
from ci3.config.policy_file import DEFAULTS, NON_EMPTY_SETTINGS, POLICY_KEYS, TARGETS
from ci3.config.settings import SETTINGS_BY_NAME

_MAX_COUNT = 10**9 - 1
_SCALAR = ["string", "number", "boolean", "null"]


def build_policy_schema() -> str:
    """Return the JSON Schema of policy files, as published in docs/policy.schema.json."""
    target_keys = [name for name in POLICY_KEYS if not SETTINGS_BY_NAME[name].is_run_wide]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ci3 policy file",
        "description": f"Settings of one run, or `{TARGETS}` with the settings of each.",
        "oneOf": [{"$ref": "#/$defs/settings"}, {"$ref": "#/$defs/settings-of-targets"}],
        "$defs": {
            "settings": _build_mapping(POLICY_KEYS),
            "settings-of-targets": _build_settings_of_targets(),
            "target": _build_mapping(target_keys),
            **{name: _build_value(SETTINGS_BY_NAME[name]) for name in POLICY_KEYS},
        },
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _build_mapping(names: Iterable[str]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in names},
        "additionalProperties": False,
        "minProperties": 1,
    }


def _build_settings_of_targets() -> dict[str, object]:
    return {
        "type": "object",
        "properties": {
            DEFAULTS: {
                "description": "Settings of every target. A target's own settings override them; "
                "lists are combined.",
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


def _build_value(setting: Setting) -> dict[str, object]:
    default = (
        "" if setting.default_doc in ("–", "required") else f" Default: {setting.default_doc}."
    )
    return {"description": setting.doc + default, **_build_type(setting)}


def _build_type(setting: Setting) -> dict[str, object]:  # noqa: PLR0911 - one return for each kind
    if setting.choices:
        return {"enum": [*setting.choices, None]}
    if setting.name in NON_EMPTY_SETTINGS:
        types = [name for name in _SCALAR if name != "null"]
        return {"type": types, "pattern": f"^({setting.pattern or '.+'})$"}
    pattern = {"pattern": f"^({setting.pattern})?$"} if setting.pattern else {}
    match setting.kind:
        case Kind.TEXT | Kind.FLAG:
            return {
                "type": _SCALAR if setting.kind is Kind.TEXT else ["boolean", "null"],
                **pattern,
            }
        case Kind.COUNT:
            return {"type": ["integer", "null"], "minimum": setting.minimum, "maximum": _MAX_COUNT}
        case Kind.LIMIT:
            bounds = {"minimum": setting.minimum, "maximum": _MAX_COUNT}
            return {"type": ["integer", "string", "null"], **bounds, **pattern}
        case Kind.DURATION | Kind.SIZE:
            return {"type": ["string", "null"], **pattern}
        case Kind.LINES:
            array = {"type": "array", "items": {"type": _SCALAR, **pattern}}
            # A text of several lines is not checked: a pattern for all of its lines would take
            # editors exponential time.
            text_pattern = {keyword: rf"{regex}|\n" for keyword, regex in pattern.items()}
            return {"anyOf": [{"type": _SCALAR, **text_pattern}, array]}
    assert_never(setting.kind)
