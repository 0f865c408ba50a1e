"""Takes the docs' pictures from a real run on the demo's bucket, so that they never lie.

Needs Chromium, npm (for GitHub's style sheet) and what tests/requirements.txt installs.
"""

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


def plan_markdown() -> str:
    """Run the command on the demo's bucket and take what it prints."""
    with embedded_s3() as endpoint_url:
        command = [sys.executable, "-m", "ci3", "plan-cleanup", "--bucket-name", BUCKET]
        command += ["--endpoint-url", endpoint_url, "--keep-count", "4", "--protect", "release-*"]
        done = subprocess.run(
            [*command, "--output", "markdown"], check=True, capture_output=True, text=True
        )
    return done.stdout


def page(markdown: str, folder: Path) -> str:
    """Make a page of Markdown as GitHub shows it."""
    subprocess.run(["npm", "pack", "--silent", STYLE], check=True, cwd=folder, capture_output=True)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        member = archive.extractfile("package/github-markdown-light.css")
        style = member.read().decode() if member else ""
    body = cmarkgfm.markdown_to_html_with_extensions(
        markdown, options=Options.CMARK_OPT_UNSAFE, extensions=["table", "autolink", "tagfilter"]
    )
    return (
        f"<meta charset=utf-8><style>{style} .markdown-body {{padding: 24px}}</style>"
        f"<body class=markdown-body>{body}"
    )


def main() -> None:
    """Write docs/images/plan.png."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plan.html").write_text(page(plan_markdown(), folder), encoding="utf-8")
        subprocess.run(
            [
                *CHROMIUM,
                f"--user-data-dir={folder / 'profile'}",
                "--window-size=948,900",
                f"--screenshot={IMAGES / 'plan.png'}",
                (folder / "plan.html").as_uri(),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    main()
