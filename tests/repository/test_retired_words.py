"""The style checks find retired words, vague names and large modules."""

import pytest

from tools import retired_words
from tools.code_limits import find_large_functions, find_large_modules, find_openings
from tools.python_source import PythonSource
from tools.retired_words import (
    WORD_LIST,
    check_limits,
    find_retired_words,
    find_retired_words_in_text,
    find_vague_names,
    main,
    read_word_list,
)

LIST = """
# a comment
doomed | both | to delete
mend+ | both | fix
in the way | both
undo | identifier | restore
for good | prose | permanently
whole, !whole number | both | complete
"""
COMMAND = '''
@with_options(NAMES)
@click.{decorator}("cleanup")
def cleanup():
    """Say what is doomed."""
'''


def list_words(text, path="ci3/example.py"):
    source = PythonSource.parse(path, text)
    messages = find_retired_words(source, read_word_list(LIST))
    return [message.split('"')[1] for message in messages]


def list_messages(text):
    return [*find_retired_words(PythonSource.parse("ci3/a.py", text), read_word_list(LIST))]


@pytest.mark.parametrize(
    "text",
    [
        "doomed = 1",
        "doomed: int = 1",
        "is_doomed = 1",
        "class DoomedKey: ...",
        "def delete_doomed(): ...",
        "def delete(*, doomed): ...",
        "self.doomed_keys = ()",
        "import keys as doomed",
        "for DOOMED in (): ...",
        "with a as doomed: ...",
        "if doomed := 1: ...",
        "[0 for doomed in ()]",
        "try: ...\nexcept E as doomed: ...",
        "match a:\n    case [*doomed]: ...",
        "match a:\n    case {'b': doomed}: ...",
        "match a:\n    case {**doomed}: ...",
    ],
)
def test_retired_word_in_a_definition_is_found(text):
    assert list_words(text) == ["doomed"]


@pytest.mark.parametrize(
    "text",
    ["# It is Doomed.", "a = 1  # doomed", '"""A doomed key."""', 'A = 1\n"""A doomed key."""'],
)
def test_retired_word_in_prose_is_found(text):
    assert list_words(text) == ["doomed"]


def test_name_of_a_module_and_of_a_package_is_checked():
    assert list_words("", path="ci3/doomed_keys.py") == ["doomed"]
    assert list_words("", path="ci3/doomed/__init__.py") == ["doomed"]
    assert list_words("", path="ci3/doomed/keys.py") == []


@pytest.mark.parametrize(
    "text",
    [
        "print(doomed)",
        "other.doomed()",
        "undoomed = 1",
        "text = 'doomed'",
        "print('''doomed''')",
        "# See `doomed` and https://example.org/doomed.",
    ],
)
def test_uses_strings_and_code_in_comments_are_exempt(text):
    assert list_words(text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mended = 1", ["mended"]),
        ("# mends, mending", ["mends", "mending"]),
        ("# amend, mendacious", []),
    ],
)
def test_inflections_are_found(text, words):
    assert list_words(text) == words


@pytest.mark.parametrize("form", ["judges", "judged", "judging", "relies", "relied", "reaches"])
def test_inflections_of_words_with_irregular_spelling_are_found(form):
    words = read_word_list("judge+, rely+, reach+ | both")
    source = PythonSource.parse("ci3/a.py", f"# {form}")
    assert len([*find_retired_words(source, words)]) == 1


@pytest.mark.parametrize(
    "text", ["is_in_the_way = 1", "class InTheWay: ...", "# it is in\n# the way", "# In the way."]
)
def test_phrase_is_found(text):
    assert list_words(text) == ["in the way"]


def test_comments_of_different_columns_are_not_one_phrase():
    assert list_words("a = 1  # in\n# the way") == []


def test_word_is_retired_only_in_its_scope():
    assert list_words("undo = 1  # undo") == ["undo"]
    assert list_words("for_good = 1  # for good") == ["for good"]


def test_word_is_allowed_in_a_phrase_with_a_standard_meaning():
    assert list_words("# a whole number is not the whole") == ["whole"]
    assert list_words("is_whole_number = is_whole = 1") == ["whole"]


def test_message_has_the_position_and_the_replacement():
    assert list_messages('"""First.\n\nA doomed key."""') == [
        'ci3/a.py:3: "doomed" is retired; write to delete'
    ]
    assert list_messages("\n\nis_doomed = 1") == [
        'ci3/a.py:3: "doomed" is retired; write to delete (in is_doomed)'
    ]
    assert list_messages("# in the way") == ['ci3/a.py:1: "in the way" is retired']


@pytest.mark.parametrize("decorator", ["command", "group"])
def test_help_text_of_a_command_is_exempt(decorator):
    source = PythonSource.parse("ci3/a.py", COMMAND.format(decorator=decorator))
    assert [*find_retired_words(source, read_word_list(LIST))] == []
    assert find_openings([source]) == []


def test_docstring_of_another_decorated_function_is_not_exempt():
    source = PythonSource.parse("ci3/a.py", COMMAND.format(decorator="pass_context"))
    assert len([*find_retired_words(source, read_word_list(LIST))]) == 1
    assert len(find_openings([source])) == 1


@pytest.mark.parametrize("line", ["doomed", "doomed | nowhere", "| both", "a | both | b | c"])
def test_malformed_line_of_the_list_is_refused(line):
    with pytest.raises(ValueError, match=r"nowhere|expected"):
        read_word_list(line)


@pytest.mark.parametrize(
    "text", ["one = 1", "def f(some): ...", "self.one = 1", "for one in (): ..."]
)
def test_vague_name_is_found(text):
    assert len([*find_vague_names(PythonSource.parse("a.py", text))]) == 1


@pytest.mark.parametrize("text", ["one_key = 1", "def one(): ...", "print(some)", "# one"])
def test_other_name_is_not_vague(text):
    assert [*find_vague_names(PythonSource.parse("a.py", text))] == []


@pytest.mark.parametrize("opening", ["Say", "Whether", "What", "Give"])
def test_retired_opening_is_found(opening):
    source = PythonSource.parse("ci3/a.py", f'def f():\n    """{opening} it is."""\n')
    assert find_openings([source]) == [f'ci3/a.py:2: the docstring opens with "{opening}"']


@pytest.mark.parametrize("docstring", ["Return what it is.", "Beside it.", "Saying it."])
def test_other_opening_is_allowed(docstring):
    source = PythonSource.parse("ci3/a.py", f'"""{docstring}"""\nA = 1\n"""What it is."""\n')
    assert find_openings([source]) == []


def make_source(retired, total):
    docstrings = ["Say it."] * retired + ["Return it."] * (total - retired)
    text = "".join(f'def f{n}():\n    """{doc}"""\n' for n, doc in enumerate(docstrings))
    return PythonSource.parse("ci3/a.py", text)


def test_share_of_openings_is_limited():
    messages, summary = check_limits([make_source(retired=3, total=100)])
    assert (messages, summary.split(":")[1].split(";")[0]) == ([], " 3 of 100 (3.0%)")
    messages, _ = check_limits([make_source(retired=4, total=100)])
    assert len(messages) == 4


def test_module_over_the_limit_is_found():
    source = PythonSource.parse("ci3/a.py", "\n" * 5)
    assert [*find_large_modules([source], limit=5)] == []
    assert [*find_large_modules([source], limit=4)] == [
        "ci3/a.py:1: the module has 5 lines; the limit is 4"
    ]


def test_function_over_the_limit_is_found_with_its_docstring_and_without_its_decorators():
    text = '@cache\ndef f():\n    """Do.\n\n    More.\n    """\n    return 1\n'
    source = PythonSource.parse("ci3/a.py", text)
    assert [*find_large_functions([source], limit=6)] == []
    assert [*find_large_functions([source], limit=5)] == [
        "ci3/a.py:2: f has 6 lines; the limit is 5"
    ]


def test_limits_apply_to_ci3_only():
    text = "\n" * (retired_words.MAX_MODULE_LINES + 1)
    assert len(check_limits([PythonSource.parse("ci3/a.py", text)])[0]) == 1
    assert check_limits([PythonSource.parse("tests/support/a.py", text)])[0] == []


def test_exit_code_is_1_for_a_violation_in_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(retired_words, "ROOT", tmp_path)
    package = tmp_path / "ci3"
    package.mkdir()
    (package / "good.py").write_text("A = 1\n")
    assert main(["ci3"]) == 0
    (package / "bad.py").write_text("doomed = 1\n")
    assert main(["ci3"]) == 1
    assert "ci3/bad.py:1: " in capsys.readouterr().out
    assert main(["ci3/good.py"]) == 0
    assert main(["absent"]) == 2


def test_word_list_of_the_repository_can_be_read():
    words = read_word_list(WORD_LIST.read_text(encoding="utf-8"))
    assert len(words) > 40
    assert all(word.replacement for word in words)


def test_retired_word_in_a_text_for_users_is_found_outside_of_code():
    words = read_word_list("gizmo | prose | device")
    text = "Plain.\nIt is a gizmo here.\nRun `ci3 gizmo`.\n"
    assert list(find_retired_words_in_text("README.md", text, words)) == [
        'README.md:2: "gizmo" is retired; write device'
    ]


@pytest.mark.parametrize("text", ["It is in\nthe way.", "| in the way | no |", "- in the\n  way"])
def test_phrase_is_found_across_lines(text):
    words = read_word_list("in the way | both | blocking")
    assert len([*find_retired_words_in_text("README.md", text, words)]) == 1


@pytest.mark.parametrize(
    "text", ["Go in. The way is free.", "Go in\n\nthe way", "| in | the way |", "in `a` the way"]
)
def test_phrase_ends_with_a_sentence_a_paragraph_a_cell_and_at_code(text):
    words = read_word_list("in the way | both | blocking")
    assert [*find_retired_words_in_text("README.md", text, words)] == []


def test_code_of_two_lines_is_exempt_and_text_after_an_unpaired_backtick_is_not():
    words = read_word_list("gizmo | prose | device")
    text = "Run `ci3\ngizmo`.\n\nA ` alone\n\nand a gizmo.\n\nRun `ci3`.\n"
    assert list(find_retired_words_in_text("README.md", text, words)) == [
        'README.md:6: "gizmo" is retired; write device'
    ]


def test_exit_code_is_1_for_a_retired_word_in_a_text_for_users(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(retired_words, "ROOT", tmp_path)
    monkeypatch.setattr(retired_words, "read_help_texts", lambda: [("ci3 --help", "It is plain.")])
    for folder in retired_words.SCOPE:
        (tmp_path / folder).mkdir(parents=True)
    page = tmp_path / "docs/page.md"
    page.parent.mkdir()
    page.write_text("It is plain.\n")
    assert main([]) == 0
    page.write_text("It is doomed.\n")
    assert main([]) == 1
    assert "docs/page.md:1: " in capsys.readouterr().out
    page.write_text("It is plain.\n")
    monkeypatch.setattr(retired_words, "read_help_texts", lambda: [("ci3 --help", "It is doomed.")])
    assert main([]) == 1
    assert "ci3 --help:1: " in capsys.readouterr().out
