"""git, as somebody who has set nothing up."""

import subprocess


def git(folder, *arguments):
    """Run it in a folder; give what it prints."""
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(
        ["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()
