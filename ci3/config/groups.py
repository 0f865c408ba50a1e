"""The groups in which help and docs show the settings."""

from collections.abc import Mapping

SETTING_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Bucket and access": (
        "bucket",
        "region",
        "prefix",
        "endpoint-url",
        "addressing-style",
        "role-to-assume",
    ),
    "Plan and apply": (
        "mode",
        "policy-file",
        "plan-file",
        "skip-changed",
        "journal-file",
        "resume",
    ),
    "Deployments": ("match", "group-by", "required-file", "age-from", "inventory"),
    "Retention": (
        "keep-count",
        "keep-within",
        "keep-daily",
        "keep-weekly",
        "keep-monthly",
        "protect",
        "live-from",
        "expire-closed",
    ),
    "Limits and deletion method": (
        "max-delete",
        "max-delete-bytes",
        "engine",
        "delete-versions",
    ),
    "GitHub": ("comment", "comment-id", "issue", "github-token", "github-api-url"),
    "Execution": ("probe-deletes", "probe-restore", "timeout", "concurrency"),
}
"""The names of all settings, by the title of their group, in the order in which they are shown."""
