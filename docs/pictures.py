"""Takes the docs' pictures from a real run on the demo's bucket, so that they never lie.

Needs Chromium, npm (for GitHub's style sheet and Mermaid) and what tests/requirements.txt installs.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import cmarkgfm
from cmarkgfm.cmark import Options

from ci3.demo import BUCKET, embedded_s3

IMAGES = Path(__file__).resolve().parent / "images"
STYLE = "github-markdown-css@5.9.0"
MERMAID = "mermaid@11.12.0"
CHROMIUM = (
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
)


RULES = ("--keep-count", "4", "--protect", "release-*")
OTHER_POLICY = "keep-count: 1\nkeep-within: 14d\n"
PICTURES = {
    "plan": (900, ("plan-cleanup", *RULES)),
    "explain": (260, ("explain", "c85fa32", "--keep-count", "4", "--keep-within", "14d")),
    "simulate": (1750, ("simulate", *RULES, "--against", "other.yml")),
}
"""For each picture its height in pixels and the command whose Markdown it shows."""


def shown_markdown(*argv: str) -> str:
    """Run a command on the demo's bucket and take what it prints."""
    with embedded_s3() as endpoint_url:
        where = ["--bucket-name", BUCKET, "--endpoint-url", endpoint_url, "--output", "markdown"]
        command = [sys.executable, "-m", "ci3", *argv, *where]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def packed(package: str, path: str, folder: Path) -> str:
    """Take one file out of a package of npm's."""
    place = folder / package.partition("@")[0]
    place.mkdir(exist_ok=True)
    subprocess.run(["npm", "pack", "--silent", package], check=True, cwd=place, capture_output=True)
    with tarfile.open(next(place.glob("*.tgz"))) as archive:
        member = archive.extractfile(f"package/{path}")
        return member.read().decode() if member else ""


def page(markdown: str, folder: Path) -> str:
    """Make a page of Markdown as GitHub shows it, charts too."""
    style = packed(STYLE, "github-markdown-light.css", folder)
    body = cmarkgfm.markdown_to_html_with_extensions(
        markdown, options=Options.CMARK_OPT_UNSAFE, extensions=["table", "autolink", "tagfilter"]
    )
    body = re.sub(
        r"<blockquote>\n<p>\[!(\w+)\]\s*(.*?)</blockquote>", _alert, body, flags=re.DOTALL
    )
    body = re.sub(
        r'<pre><code class="language-diff">(.*?)</code></pre>', _diff, body, flags=re.DOTALL
    )
    body = re.sub(
        r'<pre><code class="language-mermaid">(.*?)</code></pre>',
        r"<pre class=mermaid>\1</pre>",
        body,
        flags=re.DOTALL,
    )
    script = ""
    if "class=mermaid" in body:
        (folder / "mermaid.js").write_text(
            packed(MERMAID, "dist/mermaid.min.js", folder), encoding="utf-8"
        )
        script = "<script src=mermaid.js></script><script>mermaid.initialize({})</script>"
    return (
        f"<meta charset=utf-8><style>{style} .markdown-body {{padding: 24px}} "
        f"pre.mermaid {{background: none}}</style><body class=markdown-body>{body}{script}"
    )


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


def main() -> None:
    """Write every picture into docs/images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        other = folder / "other.yml"
        other.write_text(OTHER_POLICY, encoding="utf-8")
        for picture, (height, argv) in PICTURES.items():
            named = [str(other) if word == other.name else word for word in argv]
            text = shown_markdown(*named).replace(str(other), other.name)
            (folder / f"{picture}.html").write_text(page(text, folder), encoding="utf-8")
            subprocess.run(
                [
                    *CHROMIUM,
                    f"--user-data-dir={folder / 'profile'}",
                    f"--window-size=948,{height}",
                    f"--screenshot={IMAGES / picture}.png",
                    "--virtual-time-budget=20000",
                    (folder / f"{picture}.html").as_uri(),
                ],
                check=True,
                capture_output=True,
            )


if __name__ == "__main__":
    main()
