"""Takes cropped screenshots of pages with Chromium and checks that nothing scrolls sideways."""

import base64
import itertools
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

_CHROMIUM: Final = (
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
    "--remote-debugging-pipe",
)
_PNGQUANT: Final = ("pngquant", "--force", "--ext", ".png", "--strip", "--skip-if-larger", "48")
_VIEW_HEIGHT: Final = 1200
_MEASURE: Final = """
const folded = [...document.querySelectorAll("details:not([open])")]
folded.forEach(section => section.open = true)
const wide = [...document.querySelectorAll("table, pre:not(:has(.language-yaml)), html")]
  .filter(box => box.scrollWidth > box.clientWidth + 1)
  .map(box => `${box.tagName}, ${box.scrollWidth} pixels: ${box.textContent.trim().slice(0, 60)}`)
folded.forEach(section => section.open = false)
const ends = [...document.querySelectorAll("tr, p, ul, pre, h3, summary, .page")]
  .filter(box => box.checkVisibility())
  .map(box => Math.ceil(box.getBoundingClientRect().bottom))
JSON.stringify({wide, ends})
"""
"""Finds what scrolls sideways, also in folded sections, and where the page can be cut.

Settings to copy are left out: their lines must not be broken.
"""


class WidePageError(Exception):
    """A page that scrolls sideways."""


@dataclass(kw_only=True)
class Browser:
    """A running Chromium, which reads commands from a pipe.

    Source: https://chromedevtools.github.io/devtools-protocol/
    """

    _requests: BinaryIO
    _responses: BinaryIO
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _session_id: str = ""

    def open_tab(self) -> None:
        """Open the tab that shows the pages."""
        target = self._call("Target.createTarget", url="about:blank")
        session = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session_id = session["sessionId"]

    def save_screenshot(self, html: str, path: Path, *, width: int, max_height: int) -> None:
        """Write a screenshot of a page, cut below the last line that fits into `max_height`.

        Sizes are in pixels. Raises WidePageError if a part of the page scrolls sideways.
        """
        ends = self.check_width(html, path.name, width=width)
        height = max(end for end in ends if end <= max_height)
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        picture = self._call("Page.captureScreenshot", clip=clip)
        path.write_bytes(base64.b64decode(picture["data"]))
        subprocess.run([*_PNGQUANT, str(path)], check=False)

    def check_width(self, html: str, name: str, *, width: int) -> Sequence[int]:
        """Show a page and return the positions at which it can be cut, from its top.

        Sizes are in pixels. Raises WidePageError if a part of the page scrolls sideways.
        """
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=_VIEW_HEIGHT, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        frame_id = self._call("Page.getFrameTree")["frameTree"]["frame"]["id"]
        self._call("Page.setDocumentContent", frameId=frame_id, html=html)
        result = self._call("Runtime.evaluate", expression=f"{{{_MEASURE}}}")["result"]
        measures = json.loads(result["value"])
        if measures["wide"]:
            wide = "\n".join(measures["wide"])
            raise WidePageError(f"{name} is wider than {width} pixels:\n{wide}")
        ends: Sequence[int] = measures["ends"]
        return ends

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command and return its result; events in between are skipped."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if self._session_id:
            command["sessionId"] = self._session_id
        self._requests.write(json.dumps(command).encode() + b"\0")
        self._requests.flush()
        while True:
            response = json.loads(self._read_message())
            if response.get("id") == number:
                result: dict[str, Any] = response["result"]
                return result

    def _read_message(self) -> bytes:
        message = bytearray()
        while (byte := self._responses.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium has ended")
            message += byte
        return bytes(message)


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """Start Chromium with its profile in a folder."""
    request_reader, request_writer = os.pipe()
    response_reader, response_writer = os.pipe()

    # Chromium reads from file descriptor 3 and writes to 4.
    script = f'exec "$@" 3<&{request_reader} 4>&{response_writer}'
    command = [*_CHROMIUM, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    with (
        os.fdopen(request_writer, "wb") as requests,
        os.fdopen(response_reader, "rb") as responses,
        subprocess.Popen(
            ["sh", "-c", script, "sh", *command],
            pass_fds=(request_reader, response_writer),
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        os.close(request_reader)
        os.close(response_writer)
        browser = Browser(_requests=requests, _responses=responses)
        browser.open_tab()
        yield browser
        process.terminate()
