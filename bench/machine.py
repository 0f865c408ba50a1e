"""What a reader must know of the machine; nothing that names it."""

import os
import platform
import re
from pathlib import Path

_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)


def describe_machine() -> str:
    """Describe processors, memory, system and Python in one line."""
    parts = [
        f"{os.cpu_count()} × {_model()}",
        f"{_memory_bytes() / 2**30:.0f} GB of memory",
        platform.system(),
        f"Python {platform.python_version()}",
    ]
    return ", ".join(parts)


def _model() -> str:
    try:
        found = _MODEL.search(Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
