"""Comparison of two recordings of the outputs: differences are reported, random values are not."""

import pytest

from tools.normalization import Normalizer, reduce_schema
from tools.recorded_outputs import compare_recordings, main

RECORDING = {
    "files/action.yml": "name: ci3\n",
    "plans/table.stdout": "keep  9c41e07  5 hours ago\n",
    "plans/table.exit": "0\n",
}


def write_recording(folder, recording):
    for name, text in recording.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return str(folder)


def test_random_values_are_numbered_by_first_appearance():
    normalizer = Normalizer({"/run/x": "<folder>", "/run/x/checkout": "<checkout>"})
    first, second = "20261123T100000Z-0a1b2c3d", "20261123T100100Z-4e5f6071"

    assert normalizer.normalize(f"{first} {second} {first}") == (
        "20261123T100000Z-<random-1> 20261123T100100Z-<random-2> 20261123T100000Z-<random-1>"
    )
    assert normalizer.normalize(second) == "20261123T100100Z-<random-2>"
    assert normalizer.normalize("/run/x/a /run/x/checkout/b") == "<folder>/a <checkout>/b"
    assert normalizer.normalize("http://127.0.0.1:4711/api") == "http://127.0.0.1:<port>/api"


@pytest.mark.parametrize(
    "text", ["plan 9c41e07 of 2026-11-23 10:00 UTC", "0b96d14: 17 objects\n", "é · … ✕"]
)
def test_text_that_is_not_random_is_kept(text):
    assert Normalizer({}).normalize(text) == text


def test_control_characters_are_visible():
    assert Normalizer({}).normalize("\x1b[1mbold\r\n") == "\\x1b[1mbold\\x0d\n"


def test_schema_keeps_its_structure_without_names_of_definitions():
    def schema(name, kind, **extra):
        definition = {"type": kind, "title": name, "description": name}
        properties = {"title": {"$ref": f"#/$defs/{name}", "description": "the title"}}
        return {"$defs": {name: definition}, "properties": properties, **extra}

    before = reduce_schema(schema("_Title", "string"))

    assert before == {"properties": {"title": {"type": "string"}}}
    assert reduce_schema(schema("Heading", "string", title="A plan")) == before
    assert reduce_schema(schema("_Title", "integer")) != before
    assert reduce_schema(schema("_Title", "string", required=["title"])) != before


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"plans/table.stdout": "keep  9c41e07  6 hours ago\n"}, "+keep  9c41e07  6 hours ago"),
        ({"plans/table.exit": "4\n"}, "+4"),
        ({"plans/table.exit": "0"}, "+\\ No newline at end of file"),
        ({"plans/table.exit": ""}, "-0"),
        ({"plans/more.stderr": ""}, "+++ after/plans/more.stderr"),
    ],
)
def test_each_changed_file_is_reported_with_its_diff(changed, line):
    (diff,) = compare_recordings(RECORDING, RECORDING | changed)

    assert line in diff.splitlines()


def test_missing_file_is_reported():
    incomplete = {name: text for name, text in RECORDING.items() if name != "plans/table.exit"}
    (diff,) = compare_recordings(RECORDING, incomplete)

    assert diff.splitlines()[:2] == ["--- before/plans/table.exit", "+++ /dev/null"]


def test_exit_code_is_1_if_recordings_differ(tmp_path, capsys):
    before = write_recording(tmp_path / "before", RECORDING)
    same = write_recording(tmp_path / "same", RECORDING)
    after = write_recording(
        tmp_path / "after", RECORDING | {"plans/table.stdout": "keep  9c41e07\n"}
    )

    assert main(["compare", before, same]) == 0
    assert capsys.readouterr().out == ""
    assert main(["compare", before, after]) == 1
    assert "+keep  9c41e07\n" in capsys.readouterr().out


def test_incomplete_recording_is_not_compared(tmp_path):
    complete = write_recording(tmp_path / "complete", RECORDING)
    incomplete = write_recording(tmp_path / "incomplete", {"plans/table.exit": "0\n"})

    with pytest.raises(ValueError, match="incomplete"):
        main(["compare", complete, incomplete])
