"""Wheels of the locked dependencies, made from the installed packages: pip needs no network."""

import re
from hashlib import sha256
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZipFile

from tests.support.paths import ROOT

_PINS = re.compile(r"^([\w.-]+)==", re.MULTILINE)


def make_wheels(folder: Path) -> str:
    """Write a wheel of each locked dependency; return a lock with the hashes of these wheels.

    It has the installed versions, which may be newer than the versions in `requirements.lock`.
    """
    lines = []
    for name in _PINS.findall((ROOT / "requirements.lock").read_text()):
        installed = distribution(name)
        wheel = folder / f"{name.replace('-', '_')}-{installed.version}-py3-none-any.whl"
        _write_wheel(installed, wheel)
        digest = sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}=={installed.version} --hash=sha256:{digest}\n")
    return "".join(lines)


def _write_wheel(installed: Distribution, wheel: Path) -> None:
    """Pack a package's files, without its commands and bytecode."""
    with ZipFile(wheel, "w") as archive:
        for file in installed.files or ():
            if not {"..", "__pycache__"} & set(file.parts):
                archive.write(installed.locate_file(file), file.as_posix())
