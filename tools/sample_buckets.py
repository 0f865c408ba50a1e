"""Sample buckets for the scenarios."""

from pathlib import Path

from tests.support.s3.memory_listings import MemoryBucket
from tools.stage import Stage

DEMO = "demo-site"
PLAIN = "plain-site"
MIXED = "mixed-site"
EMPTY = "empty-site"

DEPLOYMENTS = (
    ("9c41e07", 0.2, 18),
    ("5d2f8ab", 1.1, 18),
    ("e7730c9", 2.4, 17),
    ("0b96d14", 4.0, 17),
    ("release-2.4", 6.2, 17),
    ("c85fa32", 7.9, 16),
    ("71ae5d0", 11.3, 16),
    ("f20b6c8", 14.5, 15),
    ("release-2.3", 19.0, 15),
    ("3ad97e1", 23.6, 14),
    ("b64c210", 30.2, 12),
    ("8e15f7d", 37.8, 12),
)
"""Name, age in days and number of files of each deployment; those of `ci3 demo`."""

FILE_SIZES = (4_200, 61_000, 128_000, 17_500, 9_100)
SECOND = 1 / 86_400
FOREIGN_RULE = (
    b'<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>logs</ID>'
    b"<Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status>"
    b"<Expiration><Days>90</Days></Expiration></Rule></LifecycleConfiguration>"
)
BROAD_RULE = FOREIGN_RULE.replace(b"logs/", b"").replace(b">logs<", b">expire-all<")

OTHER_POLICY = "keep-count: 1\nkeep-within: 14d\n"
TARGETS_POLICY = """\
defaults:
  keep-count: 3
targets:
  - bucket: demo-site
    protect: release-*
  - bucket: plain-site
    max-delete: 80%
"""
POLICIES = {
    "other.yml": OTHER_POLICY,
    "targets.yml": TARGETS_POLICY,
    "unknown-key.yml": "keep-cuont: 3\n",
    "not-yaml.yml": "keep-count: [\n",
    "bad-value.yml": "keep-count: many\n",
    "duplicates.yml": "targets:\n  - bucket: demo-site\n  - bucket: demo-site\n",
}


def fill(stage: Stage) -> None:
    """Create the buckets, and write the policy files into the stage's folder."""
    for name, versioning in ((DEMO, "Enabled"), (PLAIN, ""), (MIXED, "Enabled"), (EMPTY, "")):
        stage.s3.buckets[name] = MemoryBucket(versioning=versioning)
    for name in (DEMO, PLAIN):
        _fill_demo(stage, name)
    _fill_mixed(stage)
    for name, text in POLICIES.items():
        Path(stage.folder, name).write_text(text, encoding="utf-8")


def deploy(stage: Stage, bucket: str, name: str, *, days: float, file_count: int) -> None:
    """Upload a deployment, one file per second."""
    for number in range(file_count):
        file = f"assets/chunk-{number:02}.js" if number else "index.html"
        size_bytes = FILE_SIZES[number % len(FILE_SIZES)]
        age_days = days - number * SECOND
        stage.put(bucket, f"{name}/{file}", days=age_days, size_bytes=size_bytes)


def _fill_demo(stage: Stage, bucket: str) -> None:
    for file in ("index.html", "robots.txt"):
        stage.put(bucket, file, days=0.1)
    for name, age_days, file_count in DEPLOYMENTS:
        deploy(stage, bucket, name, days=age_days, file_count=file_count)


def _fill_mixed(stage: Stage) -> None:
    """Fill a bucket with groups, incomplete deployments, unclear ages and unusual names."""
    for number, days in enumerate((1, 3, 5, 8, 13)):
        deploy(stage, MIXED, f"pr-12-{number}a0b", days=days, file_count=2)
        deploy(stage, MIXED, f"pr-13-{number}c0d", days=days + 0.5, file_count=2)
    deploy(stage, MIXED, "main-*bold*|<b>&", days=20, file_count=2)
    deploy(stage, MIXED, "main-bad\x1b[31m\nname", days=21, file_count=2)
    deploy(stage, MIXED, "main-overlap", days=22, file_count=2)
    stage.put(MIXED, "main-overlap/late.js", days=2)
    stage.put(MIXED, "main-incomplete/assets/a.js", days=40)
    stage.put(MIXED, "main-uploading/assets/a.js", days=0.01)
    stage.put(MIXED, "current", days=1, size_bytes=0)
    stage.put(MIXED, "version.json", days=1)
    # An object that is uploaded twice has a noncurrent version.
    stage.put(MIXED, "pr-12-4a0b/index.html", days=12.9)
    s3, bucket = stage.s3, stage.bucket(MIXED)
    s3.put(bucket, "live", b"pr-12-4a0b", bucket.versions["current"][0].modified_at)
