"""Writes tables of Markdown, among them that of a plan file's keys."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ci3.core.plan.json_reader import PlanFile
from docs.words import PLAN_KEYS

Schema = Mapping[str, Any]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of Markdown; a bar in a cell would end it, and is escaped."""
    lines = [head, *rows]
    written = [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    ]
    return "\n".join((written[0], f"|{'---|' * len(head)}", *written[1:]))


def plan_keys_table() -> str:
    """Write each key of a plan file, its type and its meaning."""
    schema = PlanFile.model_json_schema(by_alias=True)
    types = dict(_keys(schema, schema["$defs"], ""))
    if types.keys() != PLAN_KEYS.keys():
        missing = sorted(types.keys() ^ PLAN_KEYS.keys())
        raise SystemExit(f"docs/words.py and the plan file differ in {', '.join(missing)}")
    rows = [(f"`{key}`", types[key], meaning) for key, meaning in PLAN_KEYS.items()]
    return table(("key", "type", "meaning"), rows)


def _keys(schema: Schema, defs: Schema, path: str) -> Iterator[tuple[str, str]]:
    """List the keys of a schema with their types; `[]` stands for each entry, `*` for any name."""
    for name, one in schema["properties"].items():
        key = f"{path}{name}"
        entry = one.get("items") or one.get("additionalProperties")
        place = "[]." if "items" in one else ".*." if entry else "."
        inner = next((_resolved(kind, defs) for kind in _kinds(entry or one)), {})
        if "properties" not in inner or len(_kinds(one)) > 1 or place == ".*.":
            yield key, _type(one, defs)
        if "properties" in inner:
            yield from _keys(inner, defs, f"{key}{place}")


def _kinds(schema: Schema) -> list[Schema]:
    return list(schema.get("anyOf", [schema]))


def _resolved(schema: Schema, defs: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Schema = defs[schema["$ref"].rpartition("/")[2]]
    return found


def _type(schema: Schema, defs: Schema) -> str:
    told = []
    for kind in (_resolved(one, defs) for one in _kinds(schema)):
        if len(kind.get("enum", ())) in range(1, 5):
            told += [f"`{value}`" for value in kind["enum"]]
        elif "const" in kind:
            told.append(f"`{kind['const']}`")
        elif "enum" in kind:
            told.append("code")
        elif kind.get("format") == "date-time":
            told.append("time")
        elif kind["type"] == "array":
            told.append(f"list of {_type(kind['items'], defs)}s")
        else:
            told.append("`null`" if kind["type"] == "null" else kind["type"])
    return ", ".join(told)
