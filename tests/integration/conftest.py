"""Fixtures for all integration tests."""

from collections.abc import Callable

import pytest

from tests.support.golden_screens import PLAN_TABLE, assert_section


@pytest.fixture
def assert_screen(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return a function that compares a text with the test's section of a golden file.

    A test with several screens names each. The table of a plan is left out unless `has_table`.
    `is_shared`: the test shows the same with all its parameters.
    """

    def assert_screen(
        text: str, name: str = "", *, has_table: bool = False, is_shared: bool = False
    ) -> None:
        text = text if has_table else PLAN_TABLE.sub("…\n", text)
        test_name = request.node.originalname if is_shared else request.node.name
        section = f"{test_name}: {name}" if name else test_name
        assert_section(request.path, section, text)

    return assert_screen
