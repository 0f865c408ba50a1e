"""The numbers that more than one room must agree on."""

from typing import Final

MINIMUM_KEEP_COUNT: Final = 1
"""Complete deployments that stay in each group, whatever the settings say."""

DEFAULT_KEEP_COUNT: Final = 5

COMMIT_PREFIX_LENGTH: Final = 7
"""Hex digits that two names must share before ci3 takes them for one commit."""

LONG_SPAN_SECONDS: Final = 3600
"""A deployment whose objects lie further apart is flagged: its age is not one moment."""

PLAN_FORMAT: Final = "ci3-plan/1"

JOURNAL_FORMAT: Final = "ci3-journal/1"

JOURNAL_FOLDER: Final = ".ci3"
"""The folder below a target's prefix where journals are stored; it is never a deployment."""

PROBE_NAME: Final = ".ci3-probe-"
"""How the keys begin, under the plan's prefix, that a probe deletes; nobody has one."""

MAXIMUM_CONCURRENCY: Final = 32
"""Requests to S3 that are out at once, unless a user says another number."""

MOST_DIRECT_OBJECTS: Final = 10_000_000
"""Objects up to which ci3 deletes them itself, if it may choose.

At S3's rate that is less than an hour: within what keys last that another step has got, and far
from a job's end. What goes directly is gone when the run ends, and each object was compared with
the plan right before; a lifecycle rule knows ages only, and takes a day or two. Beyond, hours of
requests stand against none.
"""

DELETE_BATCH_SIZE: Final = 1000
"""Keys in one DeleteObjects request at most.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

TERM_DAYS: Final = 7
"""How long a lifecycle rule of ours stands at most, if a run comes to take it away."""

UNDO_DAYS: Final = 30
"""How long old versions stay that S3 has hidden by a rule of ours, where a bucket keeps any."""
