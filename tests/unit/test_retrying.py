"""The number of attempts, and which result is returned."""

import pytest

from ci3.retrying import retry_until


@pytest.mark.parametrize(
    ("results", "result", "pauses"),
    [
        ([3], 3, []),
        ([0, 3], 3, [1.0]),
        ([0, 1, 3], 3, [1.0, 2.0]),
        ([0, 1, 2, 3], 2, [1.0, 2.0]),
    ],
)
def test_first_final_result_is_returned_or_else_the_last(
    results: list[int], result: int, pauses: list[float]
) -> None:
    actual_pauses: list[float] = []
    attempts = iter(results)
    actual = retry_until(
        lambda: next(attempts), lambda result: result == 3, (1.0, 2.0), actual_pauses.append
    )
    assert (actual, actual_pauses) == (result, pauses)
