"""Makes pages that look as GitHub shows Markdown, and photographs them."""

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
"""Where a picture ends, however high the page is."""

_FRAME = """
.markdown-body {padding: 24px; width: 900px; box-sizing: content-box}
.comment {border: 1px solid #d1d9e0; border-radius: 6px}
.author {padding: 8px 16px; background: #f6f8fa; border-bottom: 1px solid #d1d9e0; color: #59636e}
.said.markdown-body {padding: 16px; width: auto}
.terminal pre {background: #0d1117; color: #e6edf3; font-size: 13px; line-height: 1.35}
pre.mermaid {background: none}
"""
_MEASURE = """<script>
addEventListener("load", () => setTimeout(() => {
  document.body.dataset.height = Math.ceil(document.body.getBoundingClientRect().height)
}, 10000))
</script>"""


def markdown_page(markdown: str, folder: Path, *, author: str = "") -> str:
    """Make a page of Markdown as GitHub shows it, charts too; with an author, as a comment."""
    body = cmarkgfm.markdown_to_html_with_extensions(
        markdown, options=Options.CMARK_OPT_UNSAFE, extensions=["table", "autolink", "tagfilter"]
    )
    quotation = r"<blockquote>\n<p>\[!(\w+)\]\s*(.*?)</blockquote>"
    body = re.sub(quotation, _alert, body, flags=re.DOTALL)
    block = r'<pre><code class="language-{}">(.*?)</code></pre>'
    body = re.sub(block.format("diff"), _diff, body, flags=re.DOTALL)
    chart = r"<pre class=mermaid>\1</pre>"
    body = re.sub(block.format("mermaid"), chart, body, flags=re.DOTALL)
    if author:
        head = f"<div class=author><strong>{author}</strong> commented</div>"
        body = f"<div class=comment>{head}<div class='said markdown-body'>{body}</div></div>"
    return page(body, folder)


def page(body: str, folder: Path) -> str:
    """Make a page in GitHub's style; its scripts are put into the folder."""
    style = _packed(STYLE, "github-markdown-light.css", folder)
    script = _MEASURE
    if "class=mermaid" in body:
        source = _packed(MERMAID, "dist/mermaid.min.js", folder)
        (folder / "mermaid.js").write_text(source, encoding="utf-8")
        script += "<script src=mermaid.js></script><script>mermaid.initialize({})</script>"
    head = f"<!doctype html><meta charset=utf-8><style>body {{margin: 0}} {style} {_FRAME}</style>"
    return f"{head}<body class=markdown-body>{body}{script}"


def photograph(html: str, picture: Path, folder: Path) -> None:
    """Write a page's picture, as high as the page is, or its upper part."""
    source = folder / f"{picture.stem}.html"
    source.write_text(html, encoding="utf-8")
    browser = (*CHROMIUM, f"--user-data-dir={folder / 'profile'}")
    measured = subprocess.run(
        [*browser, f"--window-size={WIDTH},800", "--dump-dom", source.as_uri()],
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r'<body [^>]*data-height="(\d+)"', measured.stdout)
    if found is None:
        raise RuntimeError(f"{picture.name} could not be measured")
    size = f"--window-size={WIDTH},{min(int(found[1]), HEIGHT)}"
    subprocess.run(
        [*browser, size, f"--screenshot={picture}", source.as_uri()],
        check=True,
        capture_output=True,
    )
    subprocess.run([*PNGQUANT, str(picture)], check=True)


def _packed(package: str, path: str, folder: Path) -> str:
    """Take one file out of a package of npm's, which is fetched once."""
    place = folder / package.partition("@")[0]
    if not place.is_dir():
        place.mkdir()
        command = ["npm", "pack", "--silent", package]
        subprocess.run(command, check=True, cwd=place, capture_output=True)
    with tarfile.open(next(place.glob("*.tgz"))) as archive:
        member = archive.extractfile(f"package/{path}")
        return member.read().decode() if member else ""


def _alert(found: re.Match[str]) -> str:
    """Make of a quotation what GitHub makes of it: a box with a title."""
    kind = found[1].lower()
    body = found[2] if found[2].startswith("<") else f"<p>{found[2]}"
    return (
        f'<div class="markdown-alert markdown-alert-{kind}">'
        f'<p class="markdown-alert-title">{kind.title()}</p>{body}</div>'
    )


def _diff(found: re.Match[str]) -> str:
    """Paint a block of `diff` as GitHub does: by the first character of each line."""
    classes = {"-": "pl-md", "+": "pl-mi1", "!": "pl-mc"}
    lines = [
        f'<span class="{classes[line[0]]}">{line}</span>' if line[:1] in classes else line
        for line in found[1].splitlines()
    ]
    return f'<div class="highlight"><pre>{chr(10).join(lines)}</pre></div>'
