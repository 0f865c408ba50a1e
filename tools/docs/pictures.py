"""Takes the pictures of the docs from real runs.

Run `make pictures`. Needs Chromium, pngquant, npm (for GitHub's style sheets) and the packages of
tests/requirements.txt. Arguments are names of situations, such as `plan`, to take only those. Fails
if a report, also one of the tests' golden files, scrolls sideways.
"""

import io
import os
import pty
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from ci3.cli.demo import BUCKET, embedded_s3
from tools.docs.html_pages import PageRenderer, Theme
from tools.docs.screenshots import Browser, open_browser
from tools.docs.workflow_reports import ROOT, collect_comments

IMAGES: Final = ROOT / "docs" / "images"
WIDTHS: Final = {"": (920, 860), "-phone": (375, 812)}
"""Width and maximum height of the pictures in pixels, by the end of their names."""

_RULES: Final = ("--keep-count", "4", "--protect", "release-*")
_MATCH: Final = ("--match", "[0-9a-f]{7}|release-.*")
TERMINALS: Final = {
    "terminal": ("plan-cleanup", *_RULES),
    "explain": ("explain", "c85fa32", *_MATCH, "--keep-count", "4", "--keep-within", "14d"),
    "simulate": ("simulate", *_RULES, "--against", "other.yml"),
}
"""The command whose output on a terminal each picture shows."""
OTHER_POLICY: Final = "keep-count: 1\nkeep-within: 14d\n"
TERMINAL_COLUMNS: Final = 112
_TERMINAL_HEIGHT: Final = 1200


def render_terminal(folder: Path, *argv: str) -> str:
    """Run a command on the demo's bucket on a pseudo-terminal and return its output as HTML."""
    (folder / "other.yml").write_text(OTHER_POLICY, encoding="utf-8")
    with embedded_s3() as endpoint_url:
        options = ("--bucket-name", BUCKET, "--endpoint-url", endpoint_url)
        master, slave = pty.openpty()
        environ = os.environ | {"COLUMNS": str(TERMINAL_COLUMNS), "TERM": "xterm-256color"}
        with subprocess.Popen(
            [sys.executable, "-m", "ci3", *argv, *options],
            stdout=slave,
            stderr=subprocess.DEVNULL,
            env=environ,
            cwd=folder,
        ):
            os.close(slave)
            output = b"".join(_read_until_closed(master)).decode().replace("\r\n", "\n")
    console = Console(record=True, width=TERMINAL_COLUMNS, file=io.StringIO(), highlight=False)
    console.print(f"$ ci3 {shlex.join((argv[0], '--bucket-name', BUCKET, *argv[1:]))}")
    console.print(Text.from_ansi(output.rstrip()))
    code_format = "<pre>{code}</pre>"
    html = console.export_html(inline_styles=True, code_format=code_format, theme=DIMMED_MONOKAI)
    return f"<div class='page terminal'>{html}</div>"


def _read_until_closed(terminal: int) -> Iterator[bytes]:
    """Yield what is written to a terminal until its other end is closed."""
    while True:
        try:
            yield os.read(terminal, 65536)
        except OSError:
            return


def check_reports(browser: Browser, pages: PageRenderer) -> None:
    """Raise WidePageError if a report of the tests scrolls sideways on a phone.

    Simulations, which only commands show, and reports with hostile names are left out.
    """
    width, _ = WIDTHS["-phone"]
    for path in sorted((ROOT / "tests" / "unit" / "report" / "goldens").glob("*.md")):
        if "simulation" not in path.stem and "hostile" not in path.stem:
            html = pages.render_comment(path.read_text(encoding="utf-8"), Theme.LIGHT)
            browser.check_width(html, path.name, width=width)


def main() -> None:
    """Write all pictures, or those of the situations named as arguments, into docs/images."""
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name, open_browser(Path(name)) as browser:
        folder = Path(name)
        pages = PageRenderer(folder=folder)
        check_reports(browser, pages)
        for situation, markdown in collect_comments(folder).items():
            for theme in Theme if not chosen or situation in chosen else ():
                html = pages.render_comment(markdown, theme)
                for suffix, (width, max_height) in WIDTHS.items():
                    path = IMAGES / f"{situation}{suffix}-{theme}.png"
                    browser.save_screenshot(html, path, width=width, max_height=max_height)
        for situation, argv in TERMINALS.items():
            if not chosen or situation in chosen:
                html = pages.render_body(render_terminal(folder, *argv), Theme.DARK)
                path = IMAGES / f"{situation}.png"
                browser.save_screenshot(html, path, width=920, max_height=_TERMINAL_HEIGHT)


if __name__ == "__main__":
    main()
