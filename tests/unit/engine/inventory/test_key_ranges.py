"""The examples in the docstring of `key_ranges`."""

import pytest

from ci3.engine.inventory.folders import Folders
from ci3.engine.inventory.key_ranges import KeyRange, RangeQueue

BORDERS = ("a0", "b0", "c0", "d0")


def make_queue(*names: str) -> RangeQueue:
    folders = Folders(prefix="", names=names, ignored=(), boundaries=BORDERS, is_sorted=True)
    return RangeQueue(folders, concurrency=4)


def take_range(queue: RangeQueue) -> KeyRange:
    key_range = queue.take()
    assert key_range is not None
    return key_range


def make_page(folder: str, start: int) -> list[str]:
    return [f"{folder}/{number:04}" for number in range(start, start + 1000)]


def get_span(key_range: KeyRange) -> tuple[str, str | None]:
    return key_range.after, key_range.up_to


def test_later_half_of_the_unstarted_folders_is_split_off_at_a_border() -> None:
    queue = make_queue("a", "b", "c", "d")
    first = take_range(queue)
    assert get_span(first) == ("", None)
    assert queue.record_page(first, make_page("a", 0), is_last=False) == (1000, False)
    second = take_range(queue)
    assert (get_span(first), get_span(second)) == (("", "b0"), ("b0", None))
    assert queue.folders_in(("", "b0")) == ["a/", "b/"]
    assert queue.folders_in(("b0", None)) == ["c/", "d/"]


@pytest.mark.parametrize(
    ("names", "last_page", "first_key", "doubtful"),
    [
        ("abcd", ["b/1999", "c/0000"], "c/0000", set()),
        ("abcd", ["b/1999", "c/0000"], "c/0001", {"b/", "c/"}),
        ("abcd", ["b/1999"], "c/0000", {"b/", "c/"}),
    ],
)
def test_both_folders_at_a_border_are_in_doubt_if_the_keys_differ(
    names: str, last_page: list[str], first_key: str, doubtful: set[str]
) -> None:
    queue = make_queue(*names)
    first = take_range(queue)
    queue.record_page(first, make_page("a", 0), is_last=False)
    second = take_range(queue)
    queue.record_page(first, last_page, is_last=True)
    queue.record_page(second, [first_key], is_last=True)
    assert queue.find_doubtful() == doubtful


def test_range_that_ends_in_an_ignored_folder_leaves_nothing_in_doubt() -> None:
    queue = make_queue("a", "c", "d")
    first = take_range(queue)
    queue.record_page(first, make_page("a", 0), is_last=False)
    first.up_to = "b0"
    second = KeyRange("b0", None, "b0", is_taken=True)
    queue.ranges.append(second)
    assert queue.record_page(first, make_page("b", 0), is_last=False) == (1000, True)
    queue.record_page(second, ["c/0000"], is_last=False)
    assert first.is_end_skipped
    assert first.key_beyond is None
    assert queue.find_doubtful() == set()


def test_last_folder_is_split_in_the_middle_after_two_full_pages() -> None:
    queue = make_queue("d")
    first = take_range(queue)
    queue.record_page(first, make_page("d", 0), is_last=False)
    assert queue.take() is None
    queue.record_page(first, make_page("d", 1000), is_last=False)
    second = take_range(queue)
    assert (get_span(first), get_span(second)) == (("c0", "d/59995000"), ("d/59995000", None))
    assert second.is_inside_folder


def test_split_after_the_last_key_is_followed_by_a_lower_one() -> None:
    queue = make_queue("d")
    first = take_range(queue)
    for start in (0, 1000):
        queue.record_page(first, make_page("d", start), is_last=False)
    second = take_range(queue)
    queue.record_page(second, [], is_last=True)
    second.is_done = True
    assert first.failed_guess_count == 1
    third = take_range(queue)
    assert get_span(third) == ("d/39992500", "d/59995000")
    assert queue.find_doubtful() == set()
