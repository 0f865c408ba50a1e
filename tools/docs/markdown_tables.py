"""Formats Markdown tables, among them the one of a plan file's keys."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ci3.core.plan.json_reader import PlanFile
from tools.docs.descriptions import PLAN_KEYS

Schema = Mapping[str, Any]


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table. Bars in cells are escaped, because they would end the cell."""
    lines = [head, *rows]
    formatted = [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    ]
    return "\n".join((formatted[0], f"|{'---|' * len(head)}", *formatted[1:]))


def format_plan_keys_table() -> str:
    """Return the table of a plan file's keys, with types and meanings."""
    schema = PlanFile.model_json_schema(by_alias=True)
    types = dict(_iter_keys(schema, schema["$defs"], ""))
    if types.keys() != PLAN_KEYS.keys():
        differences = sorted(types.keys() ^ PLAN_KEYS.keys())
        raise SystemExit(
            f"tools/docs/descriptions.py and the plan file differ in {', '.join(differences)}"
        )
    rows = [(f"`{key}`", types[key], meaning) for key, meaning in PLAN_KEYS.items()]
    return format_table(("key", "type", "meaning"), rows)


def _iter_keys(schema: Schema, defs: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Yield the keys of a schema with their types; `[]` means each entry, `*` any name."""
    for name, property_schema in schema["properties"].items():
        key = f"{path}{name}"
        entry_schema = property_schema.get("items") or property_schema.get("additionalProperties")
        separator = "[]." if "items" in property_schema else ".*." if entry_schema else "."
        nested = next(
            (_resolve(variant, defs) for variant in _variants(entry_schema or property_schema)), {}
        )
        if "properties" not in nested or len(_variants(property_schema)) > 1 or separator == ".*.":
            yield key, _format_type(property_schema, defs)
        if "properties" in nested:
            yield from _iter_keys(nested, defs, f"{key}{separator}")


def _variants(schema: Schema) -> list[Schema]:
    return list(schema.get("anyOf", [schema]))


def _resolve(schema: Schema, defs: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    resolved: Schema = defs[schema["$ref"].rpartition("/")[2]]
    return resolved


def _format_type(schema: Schema, defs: Schema) -> str:
    types = []
    for resolved in (_resolve(variant, defs) for variant in _variants(schema)):
        if len(resolved.get("enum", ())) in range(1, 5):
            types += [f"`{value}`" for value in resolved["enum"]]
        elif "const" in resolved:
            types.append(f"`{resolved['const']}`")
        elif "enum" in resolved:
            types.append("code")
        elif resolved.get("format") == "date-time":
            types.append("time")
        elif resolved["type"] == "array":
            types.append(f"list of {_format_type(resolved['items'], defs)}s")
        else:
            types.append("`null`" if resolved["type"] == "null" else resolved["type"])
    return ", ".join(types)
