"""The texts that are checked for retired words, such as golden files without test names."""

from tests.support.paths import ROOT
from tools.user_texts import read_help_texts, read_user_texts


def write_file(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_files_of_all_kinds_are_read():
    names = {name for name, _ in read_user_texts(ROOT)}
    assert {
        ".github/PULL_REQUEST_TEMPLATE.md",
        "README.md",
        "SECURITY.md",
        "action.yml",
        "docs/recovery.md",
        "examples/by-hand.md",
        "examples/scheduled.yml",
        "tests/integration/action/goldens/test_lifecycle.txt",
        "tests/unit/report/goldens/first-run.md",
    } <= names
    assert {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md")} <= names


def test_headers_of_golden_files_are_left_out(tmp_path):
    text = "=== test_a_thing ===\nA text.\n[a case]\nA [link] text.\n"
    write_file(tmp_path, "tests/unit/goldens/test_a.txt", text)
    assert [*read_user_texts(tmp_path)] == [
        ("tests/unit/goldens/test_a.txt", "\nA text.\n\nA [link] text.\n")
    ]


def test_code_blocks_are_read_without_their_fences(tmp_path):
    write_file(tmp_path, "docs/page.md", "A text.\n```yaml\na: 1 # a comment\n```\n")
    assert [*read_user_texts(tmp_path)] == [("docs/page.md", "A text.\n\na: 1 # a comment\n\n")]


def test_help_of_each_command_is_read():
    texts = dict(read_help_texts())
    assert "Exit codes" in texts["ci3 --help"]
    assert "--deleted-since" in texts["ci3 restore --help"]
    assert len(texts) == 11
