"""Golden files of messages, and the values that tests read from messages."""

import pytest

from ci3.core.model.issues import Refusal, RefusalCode
from ci3.errors import RefusedError
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in, words_in
from tests.support.paths import ROOT

CASES = [
    ("an\nerror", RefusedError("site-00042 at 127.0.0.1:4711", "a-hint")),
    ("refusals", [Refusal(code=RefusalCode.MAX_DELETE, message="a-message")]),
]
TEXT = """[an\\nerror]
BUCKET at 127.0.0.1:PORT
  hint: a-hint

[refusals]
max-delete: a-message
"""


def test_messages_are_compared_with_the_file_of_their_module_and_table(tmp_path, monkeypatch):
    monkeypatch.delenv("UPDATE_GOLDENS", raising=False)
    (tmp_path / "goldens").mkdir()
    path = tmp_path / "goldens" / "test_x-table.txt"
    path.write_text(TEXT)
    assert_messages(str(tmp_path / "test_x.py"), CASES, table="table")

    path.write_text(TEXT.replace("a-hint", "another-hint"))
    with pytest.raises(AssertionError):
        assert_messages(str(tmp_path / "test_x.py"), CASES, table="table")


def test_update_writes_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("UPDATE_GOLDENS", "1")
    assert_messages(str(tmp_path / "test_x.py"), CASES)

    assert (tmp_path / "goldens" / "test_x.txt").read_text() == TEXT


def test_every_golden_file_of_messages_has_its_module():
    paths = [*(ROOT / "tests").rglob("goldens/test_*.txt")]
    modules = [path.parent.parent / f"{path.stem.partition('-')[0]}.py" for path in paths]

    assert len(paths) > 30
    assert [module for module in modules if not module.exists()] == []


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        ("ci3.yml, line 3: 12,345 keys of pr-7 at 12:00", [3, 12345]),
        ("ci3.yml:3: 2 of 5, on 2026-11-30", [3, 2, 5]),
        ("a/1/b, v1.2 and 50%", [50]),
    ],
)
def test_numbers_of_names_paths_and_times_are_left_out(message, numbers):
    assert numbers_in(message) == numbers


def test_words_have_no_punctuation_around_them():
    assert words_in("'a/b' (in `c.d`): e.") == {"a/b", "in", "c.d", "e"}
