"""The texts and numbers by which names are compared, and which names cannot be compared."""

import pytest

from ci3.core.retention.age_order import AgeFrom, date_deployment
from ci3.core.retention.name_order import NameKey, NameOrder, parse_name
from tests.support.builders import deployment


@pytest.mark.parametrize(
    ("name", "texts", "numbers"),
    [
        ("build-9", ("build-", ""), (9,)),
        ("v1.9", ("v", ".", ""), (1, 9)),
        ("v1.9.1", ("v", ".", ".", ""), (1, 9, 1)),
        ("7", ("", ""), (7,)),
        ("2026-W9-a", ("", "-W", "-a"), (2026, 9)),
    ],
)
def test_key_has_the_texts_around_the_numbers_and_the_numbers(name, texts, numbers):
    assert parse_name(name) == NameKey(texts=texts, numbers=numbers)


@pytest.mark.parametrize("name", ["main", "", "v-next", "-"])
def test_name_without_a_number_has_no_key(name):
    assert parse_name(name) is None


@pytest.mark.parametrize(
    ("name", "has_key"),
    [
        ("build-400-2026", False),
        ("build-400-1-1999", False),
        ("2026-2027", False),
        ("2026-400", True),
        ("build-2026", True),
        ("build-400-2100", True),
        ("build-400-20261", True),
    ],
)
def test_name_with_a_year_after_another_number_has_no_key(name, has_key):
    """The number before a year may restart each year."""
    assert (parse_name(name) is not None) is has_key


@pytest.mark.parametrize(
    ("name", "comparable_count", "incomparable_count"),
    [("build-1", 2, 2), ("build-9", 2, 2), ("v1", 1, 3), ("main", 0, 3), ("other", 0, 4)],
)
def test_comparable_names_have_the_same_text_and_a_number(
    name, comparable_count, incomparable_count
):
    names = ("build-1", "build-2", "v1", "main")
    dated = [date_deployment(deployment(other_name, 1), AgeFrom.NAME) for other_name in names]
    order = NameOrder(deployment for deployment in dated if deployment is not None)

    assert order.count_comparable(name) == comparable_count
    assert order.count_incomparable(name) == incomparable_count
