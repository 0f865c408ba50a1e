"""Unfinished uploads: whatever befalls their end, the account of the deletion comes back."""

from datetime import UTC, datetime

import pytest

from ci3.engine.uploads import Aborted, abort_uploads
from ci3.errors import DeniedError


class Listing:
    """A bucket whose listing of uploads fails."""

    def __init__(self, error):
        self.error = error

    def list_uploads(self, _prefix):
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DeniedError("no", "Ask."), "no. Ask."),
        (KeyboardInterrupt(), "it was interrupted"),
        (ZeroDivisionError("x"), "a bug in ci3, please report it: ZeroDivisionError('x')"),
    ],
)
def test_uploads_that_can_not_be_looked_at_are_told_and_raise_nothing(error, said):
    found = abort_uploads(
        Listing(error), None, prefix="", doomed=["old/"], started_before=datetime.now(UTC)
    )

    assert found == Aborted(count=0, problem=said)
