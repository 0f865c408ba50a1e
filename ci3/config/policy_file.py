"""Read policy files: YAML mappings of setting names to values, checked strictly."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Never, Protocol

import yaml

from ci3.config.fields import Kind, Setting
from ci3.config.quoting import suggest_quotes
from ci3.config.resolve import RawSetting
from ci3.config.settings import SETTINGS, SETTINGS_BY_NAME
from ci3.config.targets import PolicyFile, PolicyTarget
from ci3.config.unknown_names import refuse_unknown
from ci3.core.model.policy import Origin
from ci3.errors import SettingsError, add_workspace_note


class _Mark(Protocol):
    """The type of PyYAML's marks: a position in the file; `line` counts from 0."""

    @property
    def line(self) -> int: ...


MAXIMUM_BYTES = 1_000_000
MAXIMUM_DEPTH = 10
POLICY_KEYS: tuple[str, ...] = tuple(setting.name for setting in SETTINGS if setting.is_policy_key)
DEFAULTS, TARGETS = "defaults", "targets"

_STANDARD_TAGS = "tag:yaml.org,2002:"
_NULL = f"{_STANDARD_TAGS}null"
NON_EMPTY_SETTINGS = ("prefix", "match")
"""Settings that select folders: an empty value, perhaps by mistake, would select all of them."""

_HINT = "See docs/policy.schema.json for the format; many editors can check the file with it."


def read_policy_file(path: str) -> PolicyFile:
    """Return the content of a policy file; see `read_policy_text`."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
    except OSError as exc:
        raise SettingsError(
            f"the policy file {path} cannot be read: {exc.strerror}",
            add_workspace_note(
                "Check the path. In a workflow, check out the repository first.", path
            ),
        ) from exc
    return _parse(content, path)


def read_policy_text(text: str, where: str) -> PolicyFile:
    """Parse the text of a policy file; `where` is its name in errors.

    The text must be a YAML mapping of known keys to plain values, or `targets`, a list of such
    mappings, with optional `defaults`. Raises SettingsError for anything else, with the line number
    if possible. Scalars are taken as written: a commit hash that looks like a number stays text.
    """
    return _parse(text.encode("utf-8", "surrogatepass"), where)


def _parse(content: bytes, path: str) -> PolicyFile:
    if len(content) > MAXIMUM_BYTES:
        _refuse(path, None, f"the file is larger than {MAXIMUM_BYTES:,} bytes")
    try:
        text = content.decode("utf-8")
        _refuse_unsupported_yaml(path, text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as exc:
        _refuse(path, None, "the file is not UTF-8 text", cause=exc)
    except yaml.MarkedYAMLError as exc:
        hint = _find_quoting_hint(exc.problem_mark) or _HINT
        _refuse(path, exc.problem_mark, f"invalid YAML: {exc.problem}", hint, cause=exc)
    except yaml.YAMLError as exc:
        _refuse(path, None, "invalid YAML", cause=exc)
    if root is None or root.value == []:
        _refuse(path, None, "the file is empty")
    if not isinstance(root, yaml.MappingNode):
        _refuse(path, root.start_mark, "the file must be a mapping, such as `keep-count: 5`")
    if any(name in (DEFAULTS, TARGETS) for name, _, _ in _iterate_pairs(path, root)):
        return _read_targets(path, root)
    return PolicyFile(
        where=path, defaults=_read_keys(path, root, (*POLICY_KEYS, DEFAULTS, TARGETS))
    )


def _refuse_unsupported_yaml(path: str, text: str) -> None:
    """Refuse aliases, several documents and deep nesting before PyYAML builds any nodes.

    Tags, and anchors of a single value, are refused too: `protect: !old-*` would be a tag without a
    value, and protect nothing.
    """
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if feature := _find_unsupported_feature(event):
            hint = _find_quoting_hint(event.start_mark) or _HINT
            _refuse(path, event.start_mark, f"{feature} is not allowed here", hint)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            _refuse(path, event.start_mark, "a second document (---) is not allowed here")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAXIMUM_DEPTH:
            _refuse(path, event.start_mark, "too many levels of nesting")


def _find_unsupported_feature(event: yaml.Event) -> str:
    if isinstance(event, yaml.AliasEvent):
        return "an alias (*)"
    if isinstance(event, yaml.ScalarEvent) and event.anchor:
        return "an anchor (&)"
    tag = getattr(event, "tag", None)
    return "a tag (!)" if tag and not tag.startswith(_STANDARD_TAGS) else ""


def _iterate_pairs(path: str, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yield the name of each key with the nodes of key and value; refuse a duplicate name."""
    names = set()
    for key_node, value_node in node.value:
        name = key_node.value if isinstance(key_node, yaml.ScalarNode) else "(not a name)"
        if name in names:
            _refuse(path, key_node.start_mark, f"duplicate key {name}")
        names.add(name)
        yield name, key_node, value_node


def _read_targets(path: str, root: yaml.MappingNode) -> PolicyFile:
    defaults: dict[str, RawSetting] = {}
    targets: tuple[PolicyTarget, ...] | None = None
    for name, key_node, value_node in _iterate_pairs(path, root):
        if name == DEFAULTS:
            mark = key_node.start_mark
            defaults = _read_keys(path, _require_mapping(path, name, value_node, mark), POLICY_KEYS)
        elif name == TARGETS:
            targets = tuple(_read_each_target(path, key_node, value_node))
        else:
            _refuse_unknown_key(path, name, key_node, (*POLICY_KEYS, DEFAULTS, TARGETS))
            message = f"{name} cannot be combined with {DEFAULTS} and {TARGETS}"
            hint = f"Move it to {DEFAULTS}, for all targets, or to one of the {TARGETS}."
            _refuse(path, key_node.start_mark, message, hint)
    if targets is None:
        hint = f"Add {TARGETS}, or remove the line {DEFAULTS} and do not indent its keys."
        _refuse(path, root.start_mark, f"{DEFAULTS} is set without {TARGETS}", hint)
    _refuse_emptied_defaults(defaults, targets)
    return PolicyFile(where=path, defaults=defaults, targets=targets)


def _refuse_emptied_defaults(
    defaults: Mapping[str, RawSetting], targets: Iterable[PolicyTarget]
) -> None:
    """Refuse a key without a value in a target if `defaults` has a value, which would apply.

    An empty `expire-closed` looks as if it kept the previews of that target.
    """
    for target in targets:
        for name, raw_setting in target.raw_settings.items():
            has_default = name in defaults and defaults[name].texts
            if has_default and not raw_setting.texts and not SETTINGS_BY_NAME[name].is_repeatable:
                raise SettingsError(
                    f"{raw_setting.where}: it has no value, so that the one of {DEFAULTS} would "
                    "apply",
                    f"Remove the key to use that value. To use none here, move {name} from "
                    f"{DEFAULTS} to the other {TARGETS}.",
                )


def _read_each_target(path: str, key_node: yaml.Node, node: yaml.Node) -> Iterator[PolicyTarget]:
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        message = f"{TARGETS} must be a list with at least one target"
        _refuse(path, key_node.start_mark, message, "Start each target with `- bucket: …`.")
    for number, target_node in enumerate(node.value, 1):
        subject = f"target {number}"
        mapping = _require_mapping(path, subject, target_node, target_node.start_mark)
        for name, name_node, _ in _iterate_pairs(path, mapping):
            if name in SETTINGS_BY_NAME and SETTINGS_BY_NAME[name].is_run_wide:
                message = f"{name} applies to the run and cannot be set for {subject} alone"
                _refuse(path, name_node.start_mark, message, f"Move it to {DEFAULTS}.")
        raw_settings = _read_keys(path, mapping, POLICY_KEYS)
        yield PolicyTarget(line=target_node.start_mark.line + 1, raw_settings=raw_settings)


def _require_mapping(path: str, subject: str, node: yaml.Node, mark: _Mark) -> yaml.MappingNode:
    if node.tag == _NULL or node.value == []:
        _refuse(path, mark, f"{subject} is empty")
    if not isinstance(node, yaml.MappingNode):
        _refuse(path, mark, f"{subject} must be a mapping, such as `keep-count: 5`")
    return node


def _read_keys(path: str, node: yaml.MappingNode, known: Sequence[str]) -> dict[str, RawSetting]:
    raw_settings: dict[str, RawSetting] = {}
    for name, key_node, value_node in _iterate_pairs(path, node):
        _refuse_unknown_key(path, name, key_node, known)
        where = f"{_format_location(path, key_node.start_mark)}, {name}"
        texts = _read_texts(path, SETTINGS_BY_NAME[name], value_node)
        raw_settings[name] = RawSetting(texts=texts, origin=Origin.POLICY_FILE, where=where)
    return raw_settings


def _refuse_unknown_key(path: str, name: str, node: yaml.Node, known: Sequence[str]) -> None:
    if name in SETTINGS_BY_NAME and name not in POLICY_KEYS:
        message = f"{name} cannot be set in a policy file, only as an input or option"
        _refuse(path, node.start_mark, message)
    if name not in POLICY_KEYS:
        refuse_unknown(name, _format_location(path, node.start_mark), known)


def _read_texts(path: str, setting: Setting, node: yaml.Node) -> tuple[str, ...]:
    if isinstance(node, yaml.SequenceNode) and setting.is_repeatable:
        return tuple(_read_scalar(path, setting, item) for item in node.value)
    text = _read_scalar(path, setting, node)
    is_empty = node.tag == _NULL or not text.strip()
    if is_empty and setting.name in NON_EMPTY_SETTINGS:
        message = f"{setting.name} has no value. To use {setting.default_doc}, remove the key"
        _refuse(path, node.start_mark, message)
    return () if is_empty else (text,)


def _read_scalar(path: str, setting: Setting, node: yaml.Node) -> str:
    expected = {
        Kind.TEXT: "a single value",
        Kind.COUNT: "a whole number",
        Kind.LIMIT: "a count or a percentage",
        Kind.DURATION: "a duration, such as 14d",
        Kind.SIZE: "a size, such as 100GB",
        Kind.FLAG: "true or false",
        Kind.LINES: "a list of values",
    }[setting.kind]
    if not isinstance(node, yaml.ScalarNode):
        hint = _find_quoting_hint(node.start_mark) or _HINT
        _refuse(path, node.start_mark, f"{setting.name} must be {expected}", hint)
    tags = {Kind.COUNT: "tag:yaml.org,2002:int", Kind.FLAG: "tag:yaml.org,2002:bool"}
    if setting.kind in tags and node.tag not in (tags[setting.kind], _NULL):
        _refuse(path, node.start_mark, f"{setting.name} must be {expected}, not {node.value!r}")
    return str(node.value)


def _find_quoting_hint(mark: Any) -> str:  # noqa: ANN401 - PyYAML has no types
    """Return how to quote the value in the line of a mark, or ""; see `suggest_quotes`."""
    if mark is None or not mark.buffer:
        return ""
    # Not splitlines: PyYAML counts other line breaks.
    line = mark.buffer[: mark.pointer].rpartition("\n")[2]
    line += mark.buffer[mark.pointer :].partition("\n")[0].rstrip("\r\0")
    return suggest_quotes(line)


def _refuse(
    path: str,
    mark: _Mark | None,
    message: str,
    hint: str = _HINT,
    cause: BaseException | None = None,
) -> Never:
    raise SettingsError(f"{_format_location(path, mark)}: {message}", hint) from cause


def _format_location(path: str, mark: _Mark | None) -> str:
    return path if mark is None else f"{path}, line {mark.line + 1}"
