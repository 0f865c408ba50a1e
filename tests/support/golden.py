"""Compare text with golden files; UPDATE_GOLDENS=1 rewrites them.

The golden files are the only tests of wording. Read the diff after an update.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ci3.core.model.decision import Reason
from ci3.core.model.issues import PlanWarning, Refusal
from ci3.errors import Ci3Error

MAXIMUM_NAME = 80


def assert_golden(path: Path, text: str) -> None:
    """Check that a text equals its golden file."""
    if os.environ.get("UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"run `make goldens`, and read {path.name}"


def assert_messages(test_file: str, cases: Iterable[tuple[str, object]], table: str = "") -> None:
    """Check the messages of a table: pairs of a case's name and its message.

    A message is a text, an error, a refusal, a warning, a reason, or a list of these.
    `assert_messages(__file__, …)` in `unit/config/test_lines.py` compares with
    `unit/config/goldens/test_lines.txt`; with `table="quotes"`, with `test_lines-quotes.txt`.
    """
    path = Path(test_file)
    name = f"{path.stem}-{table}" if table else path.stem
    blocks = [f"[{_format_name(case)}]\n{_format_message(message)}\n" for case, message in cases]
    text = _hide_addresses("\n".join(blocks))
    assert_golden(path.parent / "goldens" / f"{name}.txt", text)


def _hide_addresses(text: str) -> str:
    """Replace the names of test buckets and the ports of test servers, which differ by run."""
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", re.sub(r"\bsite-\d{5}\b", "BUCKET", text))


def _format_name(name: str) -> str:
    line = name.encode("unicode_escape").decode("ascii")
    return line if len(line) <= MAXIMUM_NAME else f"{line[:MAXIMUM_NAME]}…"


def _format_message(message: object) -> str:
    match message:
        case Ci3Error():
            return f"{message.message}\n  hint: {message.hint}"
        case Reason() | Refusal() | PlanWarning():
            return f"{message.code}: {message.message}"
        case list() | tuple():
            return "\n".join(map(_format_message, message))
        case _:
            return str(message)
