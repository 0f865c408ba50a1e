"""The golden files of reports."""

from pathlib import Path

from tests.support import golden

GOLDENS = Path(__file__).parent / "goldens"


def assert_golden(name: str, text: str) -> None:
    golden.assert_golden(GOLDENS / name, text)
