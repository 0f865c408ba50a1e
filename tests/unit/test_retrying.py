"""Retries: how many attempts there are, and which result counts."""

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
def test_first_final_result_counts_or_else_the_last_attempt(
    results: list[int], result: int, pauses: list[float]
) -> None:
    slept: list[float] = []
    attempts = iter(results)
    last = retry_until(lambda: next(attempts), lambda got: got == 3, (1.0, 2.0), slept.append)
    assert (last, slept) == (result, pauses)
