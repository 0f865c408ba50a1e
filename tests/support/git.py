"""Runs git without any user configuration."""

import subprocess


def git(folder, *arguments):
    """Run git in a folder; return its output."""
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(
        ["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()
