"""Lists the folders of the image that no run reads, and the sizes of its parts.

`python -m tests.system.container.image_contents` prints the table of docs/releasing.md.
"""

import json
import sys
from collections import Counter

from tests.system.container.image import run_python

_LIST_UNUSED = """
import sys
opened = set()

def record(event, arguments):
    if event == "open":
        opened.add(str(arguments[0]))

sys.addaudithook(record)
import importlib, json, os, pkgutil
import boto3, ci3, ci3.action.main, regex
for module in pkgutil.walk_packages(ci3.__path__, "ci3."):
    if module.name != "ci3.__main__":
        importlib.import_module(module.name)
for service in "s3", "sts", "sso", "sso-oidc", "signin", "cloudfront", "ssm":
    boto3.Session().client(service, region_name="us-east-1")
ci3.action.main.main()
root = os.path.dirname(os.path.dirname(ci3.__file__))
used = opened | {getattr(module, "__file__", None) for module in sys.modules.values()}
unused = []
for folder, _, _ in os.walk(root):
    files = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
    path, parent = (os.path.relpath(name, root) for name in (folder, os.path.dirname(folder)))
    if not used.intersection(files) and parent not in unused:
        unused.append(path)
print(json.dumps(unused))
"""
_LIST_SIZES = """
import json, os, ci3
root = os.path.dirname(os.path.dirname(ci3.__file__))
sizes = {}
for start, depth in (root, len(root.split("/"))), ("/opt/ci3/pycache", None):
    for folder, _, names in os.walk(start):
        for name in names:
            path = os.path.join(folder, name)
            part = path.split("/")[depth] if depth else "compiled Python"
            sizes[part] = sizes.get(part, 0) + os.lstat(path).st_size
print(json.dumps(sizes))
"""
_ROWS = 10


def find_unused_folders() -> set[str]:
    """Return the folders of the installed packages in which no file is imported or opened."""
    completed = run_python(_LIST_UNUSED, options=["--workdir=/tmp"])
    return set(json.loads(completed.stdout.splitlines()[-1]))


def measure_parts() -> Counter[str]:
    """Return the bytes of each installed package, and of the compiled Python of all packages."""
    completed = run_python(_LIST_SIZES)
    return Counter(json.loads(completed.stdout))


def format_parts_table(sizes: Counter[str]) -> str:
    """Return a Markdown table of the largest parts, the rest and the sum, in MB."""
    largest = sizes.most_common(_ROWS)
    other_bytes = sizes.total() - sum(size for _, size in largest)
    rows = [*largest, ("other", other_bytes), ("together", sizes.total())]
    lines = [f"| {part} | {size / 1_000_000:.1f} |" for part, size in rows]
    return "\n".join(["| package | MB |", "|---|--:|", *lines])


if __name__ == "__main__":
    sys.stdout.write(f"{format_parts_table(measure_parts())}\n")
