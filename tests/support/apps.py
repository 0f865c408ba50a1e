"""A bucket with several apps, each with deployments named by commits, and their settings."""

from tests.support.s3.bucket import Bucket

PATTERN = "apps/*/production/"
MATCH = "[0-9a-f]{40}"


def commit(app: str, number: int) -> str:
    """Return a commit that is different for each app and number."""
    return f"{sum(map(ord, app)) * 1000 + number:040x}"


def deploy_app(bucket: Bucket, app: str, *, count: int = 3, files: int = 1) -> None:
    """Upload deployments 0, 1 and so on: each is a day older than the deployment before it."""
    for number in range(count):
        bucket.deploy(f"apps/{app}/production/{commit(app, number)}", days=number + 1, files=files)
    bucket.put(f"apps/{app}/README.md")


def list_deployments(bucket: Bucket, app: str) -> set[int]:
    """Return the numbers of an app's deployments that have objects."""
    keys = [key for key in bucket.content() if key.startswith(f"apps/{app}/production/")]
    names = {key.split("/")[3] for key in keys} - {".ci3"}
    return {number for number in range(100) if commit(app, number) in names}
