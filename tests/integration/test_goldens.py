"""The golden files of the integration tests."""

from pathlib import Path

from tests.support.golden_screens import GOLDENS, read_sections

PATHS = sorted(Path(__file__).parent.rglob(f"{GOLDENS}/*.txt"))


def test_every_section_belongs_to_a_test() -> None:
    assert PATHS
    for path in PATHS:
        test_file = path.parent.parent / f"{path.stem}.py"
        source = test_file.read_text(encoding="utf-8")
        for name in read_sections(path):
            test_name = name.partition("[")[0].partition(":")[0]
            assert f"def {test_name}(" in source, f"{path}: {name}"
