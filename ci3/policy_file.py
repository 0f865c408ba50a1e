"""The policy file: YAML in which each key is a setting, so strict that a typo is an error."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Never, Protocol

import yaml

from ci3.constants import MINIMUM_KEEP_COUNT
from ci3.core.plan import Origin
from ci3.errors import SettingsError
from ci3.settings import BY_NAME, SETTINGS, Given, Kind, Setting, refuse_unknown


class _Mark(Protocol):
    """Where PyYAML found something; `line` counts from 0."""

    @property
    def line(self) -> int: ...


MAXIMUM_BYTES = 1_000_000
MAXIMUM_DEPTH = 10
POLICY_KEYS: tuple[str, ...] = tuple(one.name for one in SETTINGS if one.is_policy_key)

_HINT = "docs/policy.schema.json describes the file; many editors check against it."


def read_named_policy(given: Mapping[str, Given]) -> dict[str, Given]:
    """Read the settings of the policy file that inputs or options name, if they name one."""
    texts = given["policy-file"].texts if "policy-file" in given else ()
    path = texts[0].strip() if texts else ""
    return read_policy_file(path) if path else {}


def read_policy_file(path: str) -> dict[str, Given]:
    """Read a policy file's settings by name, as texts.

    Raises SettingsError, with the line where there is one, for what is no YAML mapping of known
    keys to plain values. Scalars count as written: a commit that looks like a number stays text.
    """
    text = _read_text(path)
    try:
        _refuse_unwanted(path, text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        _refuse(path, exc.problem_mark, f"this is not YAML: {exc.problem}", cause=exc)
    except yaml.YAMLError as exc:
        _refuse(path, None, "this is not YAML that can be read", cause=exc)
    if root is None or root.value == []:
        _refuse(path, None, "the file is empty")
    if not isinstance(root, yaml.MappingNode):
        _refuse(path, root.start_mark, "the file must be a mapping, such as `keep-count: 5`")
    return _read_keys(path, root)


def _read_text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
        if len(content) > MAXIMUM_BYTES:
            _refuse(path, None, f"the file is larger than {MAXIMUM_BYTES:,} bytes")
        return content.decode("utf-8")
    except UnicodeDecodeError as exc:
        _refuse(path, None, "the file is not UTF-8 text", cause=exc)
    except OSError as exc:
        raise SettingsError(
            f"the policy file {path} can't be read: {exc.strerror}",
            "Name a file that is there; in a workflow, check the repository out first.",
        ) from exc


def _refuse_unwanted(path: str, text: str) -> None:
    """Refuse what no policy file needs, before anything is built of it."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            _refuse(path, event.start_mark, "an alias (*) is not allowed here")
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            _refuse(path, event.start_mark, "a second document (---) is not allowed here")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAXIMUM_DEPTH:
            _refuse(path, event.start_mark, "this is nested too deep")


def _read_keys(path: str, root: yaml.MappingNode) -> dict[str, Given]:
    given: dict[str, Given] = {}
    for key_node, value_node in root.value:
        name = key_node.value if isinstance(key_node, yaml.ScalarNode) else "(not a name)"
        where = f"{path}, line {key_node.start_mark.line + 1}"
        if name in given:
            _refuse(path, key_node.start_mark, f"{name} stands here a second time")
        if name in BY_NAME and name not in POLICY_KEYS:
            _refuse(
                path,
                key_node.start_mark,
                f"{name} can't be set in a policy file, only where ci3 is called",
            )
        if name not in BY_NAME:
            refuse_unknown(name, where, POLICY_KEYS)
        texts = _texts(path, BY_NAME[name], value_node)
        given[name] = Given(texts=texts, origin=Origin.POLICY_FILE, where=f"{where}, {name}")
    return given


def _texts(path: str, setting: Setting, node: yaml.Node) -> tuple[str, ...]:
    if isinstance(node, yaml.SequenceNode) and setting.is_repeatable:
        return tuple(_scalar(path, setting, part) for part in node.value)
    text = _scalar(path, setting, node)
    return () if node.tag == "tag:yaml.org,2002:null" else (text,)


def _scalar(path: str, setting: Setting, node: yaml.Node) -> str:
    wanted = {
        Kind.TEXT: "one text",
        Kind.COUNT: "a whole number",
        Kind.LIMIT: "a count or a percentage",
        Kind.LINES: "a list of texts",
    }[setting.kind]
    if not isinstance(node, yaml.ScalarNode):
        _refuse(path, node.start_mark, f"{setting.name} must be {wanted}")
    whole = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:null")
    if setting.kind is Kind.COUNT and node.tag not in whole:
        _refuse(path, node.start_mark, f"{setting.name} must be {wanted}, not {node.value!r}")
    return str(node.value)


def _refuse(
    path: str, mark: _Mark | None, message: str, cause: BaseException | None = None
) -> Never:
    where = path if mark is None else f"{path}, line {mark.line + 1}"
    raise SettingsError(f"{where}: {message}", _HINT) from cause


def policy_schema() -> str:
    """Write the policy file's JSON Schema, as published in docs/policy.schema.json."""
    scalar: dict[str, object] = {"type": ["string", "number", "boolean", "null"]}
    limit = "^([0-9]{1,9}|0*(100|[0-9]{1,2})%)$"
    most = 10**9 - 1
    shapes: dict[Kind, dict[str, object]] = {
        Kind.TEXT: scalar,
        Kind.COUNT: {
            "type": ["integer", "null"],
            "minimum": MINIMUM_KEEP_COUNT,
            "maximum": most,
        },
        Kind.LIMIT: {
            "type": ["integer", "string", "null"],
            "pattern": limit,
            "minimum": 0,
            "maximum": most,
        },
        Kind.LINES: {"anyOf": [scalar, {"type": "array", "items": scalar}]},
    }
    properties = {}
    for name in POLICY_KEYS:
        setting = BY_NAME[name]
        shape = dict(shapes[setting.kind])
        if setting.choices:
            shape = {"enum": [*setting.choices, None]}
        properties[name] = {"description": setting.doc, **shape}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A policy file of ci3",
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": properties,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
