"""Describes the machine for the report, without anything that identifies it."""

import os
import platform
import re
from pathlib import Path

_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)


def describe_machine() -> str:
    """Return processors, memory, system and Python version in one line."""
    parts = [
        f"{os.cpu_count()} × {_read_cpu_model()}",
        f"{_memory_bytes() / 2**30:.0f} GB of memory",
        platform.system(),
        f"Python {platform.python_version()}",
    ]
    return ", ".join(parts)


def _read_cpu_model() -> str:
    try:
        match = _MODEL.search(Path("/proc/cpuinfo").read_text())
    except OSError:
        match = None
    return match[1].strip() if match else platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
