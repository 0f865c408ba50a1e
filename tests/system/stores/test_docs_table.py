"""docs/stores.md has the findings of this run for each store; UPDATE_GOLDENS=1 writes it."""

import os

import pytest

from tests.system.stores.store_table import COLUMNS, HEADER, PAGE, read_rows, write_row


def test_row_of_the_page_equals_the_findings_of_this_run(store):
    missing = [column for column in COLUMNS if column not in store.findings]
    assert not missing, f"the tests that find these did not pass, or did not run: {missing}"
    server = store.server
    row = {"store": server.name, "version": server.version, **store.findings}
    if os.environ.get("UPDATE_GOLDENS"):
        write_row(row)
    documented = read_rows().get(server.name, {})
    if documented.get("version", server.version) != server.version:
        pytest.skip(f"the page is of {server.name} {documented['version']}, not {server.version}")
    assert documented == {name: row[name] for name in HEADER}


def test_page_written_row_by_row_is_read_back(tmp_path):
    page = tmp_path / "stores.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    row = dict.fromkeys(HEADER, "new") | {"store": "s3rver"}
    before = read_rows()
    write_row(row, page)
    assert read_rows(page) == before | {"s3rver": row}
