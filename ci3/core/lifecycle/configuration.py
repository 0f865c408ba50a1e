"""A bucket's lifecycle configuration as XML text, to which rules are added and cut out.

Rules that ci3 does not manage stay byte for byte: nothing is parsed and serialized again.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final
from xml.parsers import expat

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
MAXIMUM_RULES: Final = 1_000
"""Upper limit of rules per bucket.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
"""

_Schema = Mapping[str, "_Schema"]
_LEAF: Final[_Schema] = {}
_TAG: Final[_Schema] = {"Key": _LEAF, "Value": _LEAF}
_SIZES: Final[_Schema] = {"ObjectSizeGreaterThan": _LEAF, "ObjectSizeLessThan": _LEAF}
_NONCURRENT: Final[_Schema] = {"NoncurrentDays": _LEAF, "NewerNoncurrentVersions": _LEAF}
_SCHEMA: Final[_Schema] = {
    "LifecycleConfiguration": {
        "Rule": {
            "ID": _LEAF,
            "Prefix": _LEAF,
            "Filter": {
                "Prefix": _LEAF,
                "Tag": _TAG,
                **_SIZES,
                "And": {"Prefix": _LEAF, "Tag": _TAG, **_SIZES},
            },
            "Status": _LEAF,
            "Expiration": {"Date": _LEAF, "Days": _LEAF, "ExpiredObjectDeleteMarker": _LEAF},
            "Transition": {"Date": _LEAF, "Days": _LEAF, "StorageClass": _LEAF},
            "NoncurrentVersionTransition": {**_NONCURRENT, "StorageClass": _LEAF},
            "NoncurrentVersionExpiration": _NONCURRENT,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _LEAF},
        }
    }
}
"""Every element in S3's documentation, nested as in the document.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
"""


class LifecycleTextError(ValueError):
    """A configuration that must not be written back, because it is not fully understood."""


@dataclass(frozen=True, slots=True)
class Element:
    """An XML element: local name, text (empty unless a leaf) and child elements."""

    name: str
    text: str
    children: tuple["Element", ...] = ()

    def find_text(self, *names: str) -> str:
        """Return the text of a descendant, or "" if there is none.

        `names` lead there level by level; of several children with a name, the first one counts.
        """
        if not names:
            return self.text
        child = next((child for child in self.children if child.name == names[0]), None)
        return child.find_text(*names[1:]) if child else ""

    @property
    def normalized(self) -> tuple[object, ...]:
        """A value that is equal for elements that differ only in the order of children."""
        return self.name, self.text, tuple(sorted(child.normalized for child in self.children))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """One rule and its byte range in the configuration: from `start` to before `end`."""

    start: int
    end: int
    rule: Element

    @property
    def rule_id(self) -> str:
        """The rule's ID, or ""."""
        return self.rule.find_text("ID")

    @property
    def prefix(self) -> str:
        """The filter's prefix, or "" if the filter has none or combines it with other criteria."""
        return self.rule.find_text("Filter", "Prefix")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationText:
    """A lifecycle configuration; `raw` is empty if the bucket has none."""

    raw: bytes = b""
    rules: tuple[RuleText, ...] = ()
    namespace_prefix: str = ""
    """The namespace prefix of element names, with its colon, or ""."""
    insert_offset: int = 0
    """Byte offset at which new rules are inserted."""

    @property
    def rule_ids(self) -> frozenset[str]:
        """The IDs of all rules."""
        return frozenset(rule.rule_id for rule in self.rules)

    @property
    def normalized_rules(self) -> Counter[tuple[object, ...]]:
        """The rules as a multiset that is equal whatever the order of rules and elements."""
        return Counter(rule.rule.normalized for rule in self.rules)

    def with_rules(self, rules: Iterable[Sequence[Element]]) -> bytes:
        """Return the document with rules appended; each is the child elements of a `Rule`."""
        added = "".join(
            _serialize(Element("Rule", "", tuple(elements)), self.namespace_prefix)
            for elements in rules
        )
        if not self.raw:
            document = (
                f'<LifecycleConfiguration xmlns="{NAMESPACE}">{added}</LifecycleConfiguration>'
            )
            return document.encode("utf-8")
        return (
            self.raw[: self.insert_offset] + added.encode("utf-8") + self.raw[self.insert_offset :]
        )

    def without_rules(self, rules: Iterable[RuleText]) -> bytes:
        """Return the document without these rules; empty if none is left.

        S3 does not accept a configuration without rules: it must be deleted instead.
        """
        removed = sorted(rules, key=lambda rule: rule.start)
        if len(removed) == len(self.rules):
            return b""
        parts, offset = [], 0
        for rule in removed:
            parts.append(self.raw[offset : rule.start])
            offset = rule.end
        return b"".join((*parts, self.raw[offset:]))


def parse_configuration(raw: bytes) -> ConfigurationText:
    """Parse a configuration's XML; empty bytes mean that the bucket has none.

    Raises LifecycleTextError if it is not such a configuration, or if an element or attribute is
    not known: S3 may drop or reject it when the configuration is written back.
    """
    if not raw:
        return ConfigurationText()
    reader = _ConfigurationReader(raw)
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: reader.start_element(
        name, attributes, parser.CurrentByteIndex
    )
    parser.EndElementHandler = lambda _name: reader.end_element(parser.CurrentByteIndex)
    parser.CharacterDataHandler = reader.add_text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.XmlDeclHandler = _refuse_encoding
    try:
        parser.Parse(raw, True)  # noqa: FBT003 - expat takes it by position only
    except expat.ExpatError as exc:
        raise LifecycleTextError(f"it is not valid XML ({exc})") from exc
    return reader.build()


@dataclass(slots=True)
class _OpenElement:
    name: str
    schema: _Schema
    start: int
    text: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)


class _ConfigurationReader:
    """Handlers of the parser's events; they check elements and record byte ranges of rules."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._open = [_OpenElement("", _SCHEMA, 0)]
        self._rules: list[RuleText] = []
        self._qualifier = ""
        self._insert_at = 0

    def start_element(self, name: str, attributes: Mapping[str, str], start: int) -> None:
        qualifier, local = _split_name(name)
        parent = self._open[-1]
        if len(self._open) == 1:
            self._qualifier = qualifier
        if local not in parent.schema or qualifier != self._qualifier:
            where = f" in {parent.name}" if parent.name else ""
            raise LifecycleTextError(f"it has <{name}>{where}, which ci3 does not support")
        self._check_attributes(name, attributes)
        self._open.append(_OpenElement(local, parent.schema[local], start))

    def _check_attributes(self, name: str, attributes: Mapping[str, str]) -> None:
        declaration = f"xmlns:{self._qualifier[:-1]}" if self._qualifier else "xmlns"
        for attribute, value in attributes.items():
            is_declaration = attribute == "xmlns" or attribute.startswith("xmlns:")
            is_own = attribute == declaration
            is_allowed = value == NAMESPACE and len(self._open) == 1 if is_own else is_declaration
            if not is_allowed:
                raise LifecycleTextError(
                    f'<{name}> has {attribute}="{value}", which ci3 does not support'
                )

    def add_text(self, text: str) -> None:
        self._open[-1].text.append(text)

    def end_element(self, offset: int) -> None:
        ended = self._open.pop()
        text = "".join(ended.text)
        if ended.schema and text.strip():
            raise LifecycleTextError(f"it has text in <{ended.name}>: {text.strip()[:40]!r}")
        element = Element(ended.name, "" if ended.schema else text, tuple(ended.children))
        self._open[-1].children.append(element)
        has_end_tag = self._raw.startswith(f"</{self._qualifier}{ended.name}".encode(), offset)
        if len(self._open) == 1:
            self._insert_at = offset
            if not has_end_tag:
                raise LifecycleTextError("it has no rule")
        if ended.name == "Rule":
            if not has_end_tag:
                raise LifecycleTextError("it has an empty rule")
            end = self._raw.index(b">", offset) + 1
            self._rules.append(RuleText(start=ended.start, end=end, rule=element))

    def build(self) -> ConfigurationText:
        if not self._rules:
            raise LifecycleTextError("it has no rule")
        return ConfigurationText(
            raw=self._raw,
            rules=tuple(self._rules),
            namespace_prefix=self._qualifier,
            insert_offset=self._insert_at,
        )


def _split_name(name: str) -> tuple[str, str]:
    qualifier, colon, local = name.rpartition(":")
    return f"{qualifier}{colon}", local


def _refuse_doctype(*_: object) -> None:
    raise LifecycleTextError("it has a document type")


def _refuse_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and not re.fullmatch("utf-?8", encoding, re.IGNORECASE):
        raise LifecycleTextError(f"it is in {encoding}, not in UTF-8")


def _serialize(element: Element, qualifier: str) -> str:
    name = f"{qualifier}{element.name}"
    children = "".join(_serialize(child, qualifier) for child in element.children)
    return f"<{name}>{children or escape(element.text, quote=False)}</{name}>"
