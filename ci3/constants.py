"""Constants that more than one module uses."""

from typing import Final

MINIMUM_KEEP_COUNT: Final = 1
"""Complete deployments that are kept in each group regardless of the settings."""

DEFAULT_KEEP_COUNT: Final = 5

COMMIT_PREFIX_LENGTH: Final = 7
"""Minimum number of equal leading hex digits for two names to mean the same commit."""

LONG_SPAN_SECONDS: Final = 3600
"""A plan warns if the objects of a deployment were modified over a longer time than this.

The age of such a deployment is ambiguous.
"""

PLAN_FORMAT: Final = "ci3-plan/2"

JOURNAL_FORMAT: Final = "ci3-journal/2"

JOURNAL_FOLDER: Final = ".ci3"
"""Name of the folder under a target's prefix that stores journals; never a deployment."""

RESTORE_PROBE_KEY_PREFIX: Final = f"{JOURNAL_FOLDER}/restore-probe-"
"""Key prefix, relative to the target's prefix, of the object that `--probe-restore` writes."""

RESTORE_CHECK: Final = "check with `ci3 doctor --probe-restore`"
"""What to do where it is unknown whether a store can restore."""

PROBE_KEY_PREFIX: Final = ".ci3-probe-"
"""Key prefix, relative to the target's prefix, of the nonexistent keys that a probe deletes."""

MAXIMUM_CONCURRENCY: Final = 32
"""Default number of S3 requests that may be in flight."""

MAXIMUM_DIRECT_OBJECTS: Final = 10_000_000
"""Maximum number of objects that `engine: auto` deletes with requests instead of lifecycle rules.

At S3's request rate this takes less than an hour: less than the lifetime of credentials that an
earlier step obtained, and far less than a job's timeout.

- Requests: the objects are deleted when the run ends, and each is compared with the plan right
  before. Many objects take hours.
- Lifecycle rules: no requests for objects, but S3 compares only ages, and takes a day or two.
"""

DELETE_BATCH_SIZE: Final = 1000
"""Maximum number of keys in one DeleteObjects request.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

RULE_LIFETIME_DAYS: Final = 7
"""Days after which a run removes a managed lifecycle rule at the latest."""

RESTORE_WINDOW_DAYS: Final = 30
"""Days for which versions stay restorable after a managed rule made them noncurrent.

Applies to buckets with versioning only.
"""
