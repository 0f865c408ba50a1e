"""Renders Markdown and terminal output as pages in GitHub's style."""

import re
import subprocess
import tarfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import cmarkgfm
from cmarkgfm.cmark import Options

STYLE: Final = "github-markdown-css@5.9.0"


class Theme(StrEnum):
    """GitHub's color modes."""

    LIGHT = "light"
    DARK = "dark"


# Sizes as on GitHub: a comment's text has 14 pixels, and 16 pixels around it.
_FRAME: Final = """
body {margin: 0; background: BACKGROUND}
.page {padding: 16px; font: 14px sans-serif}
.comment {border: 1px solid BORDER; border-radius: 6px}
.author {padding: 8px 16px; background: HEADER; border-bottom: 1px solid BORDER;
         border-radius: 6px 6px 0 0; color: MUTED}
.comment .markdown-body {padding: 16px; border-radius: 6px}
.markdown-body {font-size: 14px}
.terminal {padding: 0}
.terminal pre {margin: 0; padding: 16px; background: #0d1117; color: #e6edf3; line-height: 1.35;
               font: 13px/1.35 "Liberation Mono", monospace}
"""
_COLORS: Final = {
    Theme.LIGHT: {
        "BACKGROUND": "#fff",
        "BORDER": "#d1d9e0",
        "HEADER": "#f6f8fa",
        "MUTED": "#59636e",
    },
    Theme.DARK: {
        "BACKGROUND": "#0d1117",
        "BORDER": "#3d444d",
        "HEADER": "#151b23",
        "MUTED": "#9198a1",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRenderer:
    """Renders pages; GitHub's style sheets are downloaded once into the folder."""

    folder: Path

    def render_comment(self, markdown: str, theme: Theme) -> str:
        """Return a page with a comment of the action."""
        head = "<div class=author><strong>github-actions</strong> commented</div>"
        body = f"<div class=markdown-body>{convert_markdown(markdown)}</div>"
        return self.render_body(
            f"<div class=page><div class=comment>{head}{body}</div></div>", theme
        )

    def render_body(self, body: str, theme: Theme) -> str:
        """Return a page in GitHub's style."""
        style = _read_npm_file(STYLE, f"github-markdown-{theme}.css", self.folder)
        frame = _FRAME
        for name, color in _COLORS[theme].items():
            frame = frame.replace(name, color)
        head = f"<!doctype html><meta charset=utf-8><style>{style} {frame}</style>"
        return f"{head}<body data-theme={theme}>{body}"


def convert_markdown(markdown: str) -> str:
    """Return Markdown as GitHub's HTML, with alerts and colored `diff` blocks."""
    body = cmarkgfm.markdown_to_html_with_extensions(
        markdown, options=Options.CMARK_OPT_UNSAFE, extensions=["table", "autolink", "tagfilter"]
    )
    quotation_pattern = r"<blockquote>\n<p>\[!(\w+)\]\s*(.*?)</blockquote>"
    body = re.sub(quotation_pattern, _render_alert, body, flags=re.DOTALL)
    list_pattern = r"<blockquote>\n<p>\[!(\w+)\]</p>\n(.*?)</blockquote>"
    body = re.sub(list_pattern, _render_alert, body, flags=re.DOTALL)
    block_pattern = r'<pre><code class="language-diff">(.*?)</code></pre>'
    return re.sub(block_pattern, _render_diff, body, flags=re.DOTALL)


def _read_npm_file(package: str, path: str, folder: Path) -> str:
    """Return one file of an npm package, which is downloaded once."""
    package_folder = folder / package.partition("@")[0]
    if not package_folder.is_dir():
        package_folder.mkdir()
        command = ["npm", "pack", "--silent", package]
        subprocess.run(command, check=True, cwd=package_folder, capture_output=True)
    with tarfile.open(next(package_folder.glob("*.tgz"))) as archive:
        member = archive.extractfile(f"package/{path}")
        return member.read().decode() if member else ""


def _render_alert(match: re.Match[str]) -> str:
    """Return GitHub's HTML for an alert such as `> [!NOTE]`: a box with a title."""
    kind = match[1].lower()
    body = match[2] if match[2].startswith("<") else f"<p>{match[2]}"
    return (
        f'<div class="markdown-alert markdown-alert-{kind}">'
        f'<p class="markdown-alert-title">{kind.title()}</p>{body}</div>'
    )


def _render_diff(match: re.Match[str]) -> str:
    """Return GitHub's HTML for a `diff` block: colored by the first character of each line."""
    classes = {"-": "pl-md", "+": "pl-mi1", "!": "pl-mc"}
    lines = [
        f'<span class="{classes[line[0]]}">{line}</span>' if line[:1] in classes else line
        for line in match[1].splitlines()
    ]
    return f'<div class="highlight"><pre>{chr(10).join(lines)}</pre></div>'
