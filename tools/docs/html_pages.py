"""Renders Markdown as GitHub does, and takes screenshots of the pages."""

import re
import subprocess
import tarfile
from pathlib import Path
from typing import Final

import cmarkgfm
from cmarkgfm.cmark import Options

STYLE: Final = "github-markdown-css@5.9.0"
MERMAID: Final = "mermaid@11.12.0"
CHROMIUM: Final = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--no-first-run",
    "--virtual-time-budget=20000",
)
PNGQUANT: Final = ("pngquant", "--force", "--ext", ".png", "--strip", "64")
WIDTH: Final = 948
HEIGHT: Final = 1800
"""Maximum height of a screenshot, in pixels."""

_FRAME = """
.markdown-body {padding: 24px; width: 900px; box-sizing: content-box}
.comment {border: 1px solid #d1d9e0; border-radius: 6px}
.author {padding: 8px 16px; background: #f6f8fa; border-bottom: 1px solid #d1d9e0; color: #59636e}
.comment-body.markdown-body {padding: 16px; width: auto}
.terminal pre {background: #0d1117; color: #e6edf3; font-size: 13px; line-height: 1.35}
pre.mermaid {background: none}
"""
_MEASURE = """<script>
addEventListener("load", () => setTimeout(() => {
  document.body.dataset.height = Math.ceil(document.body.getBoundingClientRect().height)
}, 10000))
</script>"""


def render_markdown_page(markdown: str, folder: Path, *, author: str = "") -> str:
    """Return a page of Markdown, including charts; with an author, as a comment."""
    body = cmarkgfm.markdown_to_html_with_extensions(
        markdown, options=Options.CMARK_OPT_UNSAFE, extensions=["table", "autolink", "tagfilter"]
    )
    quotation_pattern = r"<blockquote>\n<p>\[!(\w+)\]\s*(.*?)</blockquote>"
    body = re.sub(quotation_pattern, _render_alert, body, flags=re.DOTALL)
    block_pattern = r'<pre><code class="language-{}">(.*?)</code></pre>'
    body = re.sub(block_pattern.format("diff"), _render_diff, body, flags=re.DOTALL)
    chart_html = r"<pre class=mermaid>\1</pre>"
    body = re.sub(block_pattern.format("mermaid"), chart_html, body, flags=re.DOTALL)
    if author:
        head = f"<div class=author><strong>{author}</strong> commented</div>"
        body = (
            f"<div class=comment>{head}<div class='comment-body markdown-body'>{body}</div></div>"
        )
    return render_page(body, folder)


def render_page(body: str, folder: Path) -> str:
    """Return a page in GitHub's style; its scripts are written into the folder."""
    style = _read_npm_file(STYLE, "github-markdown-light.css", folder)
    script = _MEASURE
    if "class=mermaid" in body:
        source = _read_npm_file(MERMAID, "dist/mermaid.min.js", folder)
        (folder / "mermaid.js").write_text(source, encoding="utf-8")
        script += "<script src=mermaid.js></script><script>mermaid.initialize({})</script>"
    head = f"<!doctype html><meta charset=utf-8><style>body {{margin: 0}} {style} {_FRAME}</style>"
    return f"{head}<body class=markdown-body>{body}{script}"


def save_screenshot(html: str, path: Path, folder: Path) -> None:
    """Write a screenshot of a page, cut at HEIGHT pixels."""
    source = folder / f"{path.stem}.html"
    source.write_text(html, encoding="utf-8")
    browser = (*CHROMIUM, f"--user-data-dir={folder / 'profile'}")
    measured = subprocess.run(
        [*browser, f"--window-size={WIDTH},800", "--dump-dom", source.as_uri()],
        check=True,
        capture_output=True,
        text=True,
    )
    height = re.search(r'<body [^>]*data-height="(\d+)"', measured.stdout)
    if height is None:
        raise RuntimeError(f"{path.name} could not be measured")
    size = f"--window-size={WIDTH},{min(int(height[1]), HEIGHT)}"
    subprocess.run(
        [*browser, size, f"--screenshot={path}", source.as_uri()],
        check=True,
        capture_output=True,
    )
    subprocess.run([*PNGQUANT, str(path)], check=True)


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
