"""What a sibling does: it lists what it is told on its standard input, until that ends."""

import json
import os
import signal
import sys
from collections.abc import Iterable
from typing import IO, Any

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.aws.opening import Opening
from ci3.engine.flat import FlatListing
from ci3.engine.folders import Folders
from ci3.engine.progress import Silent
from ci3.engine.share import write_share
from ci3.memory import keep_one_heap, look_seldom


def main() -> None:
    """Serve the Python that started this one; an interrupt is for that one to deal with.

    Whatever fails ends it: the other one then lists that itself, and tells what is wrong.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    look_seldom()
    keep_one_heap()
    mouth = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin.buffer, mouth)


def serve(heard: Iterable[bytes], mouth: IO[str]) -> None:
    """Answer each line, the first of which says what there is, until a listing fails."""
    lines = map(json.loads, heard)
    first = next(lines)
    ceiling = first["ceiling"]
    found = Folders(
        prefix=first["prefix"],
        names=tuple(first["names"]),
        ignored=(),
        borders=tuple(first["borders"]),
        is_sorted=True,
    )
    opening = Opening(**first["opening"])
    bucket = BucketReader.reopen(opening, connections=ceiling)
    _say(mouth, {"ready": __version__})
    for words in lines:
        if (asked := Opening(**words["opening"])) != opening:  # keys expire
            opening, bucket = asked, BucketReader.reopen(asked, connections=ceiling)
        listing = FlatListing(
            bucket,
            found,
            required_file=first["required_file"],
            ceiling=ceiling,
            spans=[(after, upto) for after, upto in words["spans"]],
        )
        _say(mouth, {"share": write_share(listing.run(_Telling(mouth)))})


def _say(mouth: IO[str], words: dict[str, Any]) -> None:
    print(json.dumps(words), file=mouth, flush=True)


class _Telling(Silent):
    """Tells how many deployments were begun; a Python that is gone ends the listing by that."""

    def __init__(self, mouth: IO[str]) -> None:
        self._mouth = mouth

    def advance(self, steps: int) -> None:
        """Tell, even of none."""
        _say(self._mouth, {"begun": steps})
