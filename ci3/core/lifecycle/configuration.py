"""A bucket's lifecycle configuration as the text that it is: rules found in it, put in, cut out.

What is not ours stays byte for byte: nothing is read into values and written again.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
MAXIMUM_RULES: Final = 1_000
"""Rules of one bucket.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
"""

_Shape = Mapping[str, "_Shape"]
_LEAF: Final[_Shape] = {}
_TAG: Final[_Shape] = {"Key": _LEAF, "Value": _LEAF}
_SIZES: Final[_Shape] = {"ObjectSizeGreaterThan": _LEAF, "ObjectSizeLessThan": _LEAF}
_NONCURRENT: Final[_Shape] = {"NoncurrentDays": _LEAF, "NewerNoncurrentVersions": _LEAF}
_KNOWN: Final[_Shape] = {
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
"""Every element that S3's own documentation has, by what it stands in.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
"""


class LifecycleTextError(ValueError):
    """A configuration that may not be written again, since it can't be read for certain; why."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element without its place: local name, text of a leaf, and what is in it."""

    name: str
    text: str
    children: tuple["Element", ...] = ()

    def find(self, name: str) -> "Element | None":
        """Give the first child of a name."""
        return next((one for one in self.children if one.name == name), None)

    @property
    def meaning(self) -> tuple[object, ...]:
        """What it says, whatever order its children stand in."""
        return self.name, self.text, tuple(sorted(one.meaning for one in self.children))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """One rule, and which bytes of the configuration it takes."""

    start: int
    end: int
    rule: Element

    @property
    def rule_id(self) -> str:
        """Its ID, or nothing."""
        found = self.rule.find("ID")
        return found.text if found else ""

    @property
    def prefix(self) -> str:
        """The prefix of its filter, or nothing where that is more than a prefix, or none."""
        where = self.rule.find("Filter")
        found = where.find("Prefix") if where else None
        return found.text if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationText:
    """A whole configuration; `raw` is empty where the bucket has none."""

    raw: bytes = b""
    rules: tuple[RuleText, ...] = ()
    qualifier: str = ""
    """What stands before each element's name, with its colon, where the namespace has a prefix."""
    insert_at: int = 0

    @property
    def meanings(self) -> Counter[tuple[object, ...]]:
        """What all its rules say, in any order."""
        return Counter(one.rule.meaning for one in self.rules)

    def with_rules(self, rules: Iterable[Sequence[Element]]) -> bytes:
        """Put rules in at the end; each is what stands in one `Rule`."""
        written = "".join(_write(Element("Rule", "", tuple(one)), self.qualifier) for one in rules)
        if not self.raw:
            whole = (
                f'<LifecycleConfiguration xmlns="{NAMESPACE}">{written}</LifecycleConfiguration>'
            )
            return whole.encode("utf-8")
        added = written.encode("utf-8")
        return self.raw[: self.insert_at] + added + self.raw[self.insert_at :]

    def without(self, rules: Iterable[RuleText]) -> bytes:
        """Cut rules out; gives nothing where no rule is left, since S3 takes none without."""
        doomed = sorted(rules, key=lambda one: one.start)
        if len(doomed) == len(self.rules):
            return b""
        kept, at = [], 0
        for one in doomed:
            kept.append(self.raw[at : one.start])
            at = one.end
        return b"".join((*kept, self.raw[at:]))


def read_configuration(raw: bytes) -> ConfigurationText:
    """Read a configuration's text; nothing at all stands for none.

    Raises LifecycleTextError for what is no such configuration, and where an element or attribute
    is none that is known: S3 may lose or refuse it when it is written again.
    """
    if not raw:
        return ConfigurationText()
    reader = _Reader(raw)
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: reader.begin(
        name, attributes, parser.CurrentByteIndex
    )
    parser.EndElementHandler = lambda _name: reader.end(parser.CurrentByteIndex)
    parser.CharacterDataHandler = reader.take_text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.XmlDeclHandler = _refuse_encoding
    try:
        parser.Parse(raw, True)  # noqa: FBT003 - expat takes it by position
    except expat.ExpatError as exc:
        raise LifecycleTextError(f"it is no XML that can be read ({exc})") from exc
    return reader.found()


@dataclass(slots=True)
class _Open:
    """An element that has begun and not ended."""

    name: str
    shape: _Shape
    start: int
    text: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)


class _Reader:
    """Follows the elements of a configuration, and notes where its rules stand."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._open = [_Open("", _KNOWN, 0)]
        self._rules: list[RuleText] = []
        self._qualifier = ""
        self._insert_at = 0

    def begin(self, name: str, attributes: Mapping[str, str], start: int) -> None:
        qualifier, local = _parted(name)
        inside = self._open[-1]
        if len(self._open) == 1:
            self._qualifier = qualifier
        if local not in inside.shape or qualifier != self._qualifier:
            where = f" in {inside.name}" if inside.name else ""
            raise LifecycleTextError(f"it has <{name}>{where}, which ci3 does not know")
        self._check_attributes(name, attributes)
        self._open.append(_Open(local, inside.shape[local], start))

    def _check_attributes(self, name: str, attributes: Mapping[str, str]) -> None:
        own = f"xmlns:{self._qualifier[:-1]}" if self._qualifier else "xmlns"
        for attribute, value in attributes.items():
            is_declared = attribute == "xmlns" or attribute.startswith("xmlns:")
            is_changed = attribute == own and value != NAMESPACE
            if not is_declared or is_changed or (attribute == own and len(self._open) > 1):
                raise LifecycleTextError(
                    f'<{name}> has {attribute}="{value}", which ci3 does not know'
                )

    def take_text(self, text: str) -> None:
        self._open[-1].text.append(text)

    def end(self, at: int) -> None:
        one = self._open.pop()
        text = "".join(one.text)
        if one.shape and text.strip():
            raise LifecycleTextError(f"there is text in <{one.name}>: {text.strip()[:40]!r}")
        made = Element(one.name, "" if one.shape else text, tuple(one.children))
        self._open[-1].children.append(made)
        has_end_tag = self._raw.startswith(f"</{self._qualifier}{one.name}".encode(), at)
        if len(self._open) == 1:
            self._insert_at = at
            if not has_end_tag:
                raise LifecycleTextError("it has no rule")
        if one.name == "Rule":
            if not has_end_tag:
                raise LifecycleTextError("it has an empty rule")
            end = self._raw.index(b">", at) + 1
            self._rules.append(RuleText(start=one.start, end=end, rule=made))

    def found(self) -> ConfigurationText:
        if not self._rules:
            raise LifecycleTextError("it has no rule")
        return ConfigurationText(
            raw=self._raw,
            rules=tuple(self._rules),
            qualifier=self._qualifier,
            insert_at=self._insert_at,
        )


def _parted(name: str) -> tuple[str, str]:
    qualifier, colon, local = name.rpartition(":")
    return f"{qualifier}{colon}", local


def _refuse_doctype(*_: object) -> None:
    raise LifecycleTextError("it has a document type")


def _refuse_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and not re.fullmatch("utf-?8", encoding, re.IGNORECASE):
        raise LifecycleTextError(f"it is in {encoding}, not in UTF-8")


def _write(element: Element, qualifier: str) -> str:
    name = f"{qualifier}{element.name}"
    inside = "".join(_write(one, qualifier) for one in element.children) or escape(element.text)
    return f"<{name}>{inside}</{name}>"
