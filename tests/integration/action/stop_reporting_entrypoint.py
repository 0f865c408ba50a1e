"""Run the action's entry point; write a byte to a pipe once a deletion was asked to stop.

Usage: python stop_reporting_entrypoint.py ENTRYPOINT FILE_DESCRIPTOR
"""

import os
import runpy
import sys

from ci3.engine.deletion.objects import Deletion

PIPE = int(sys.argv.pop())
ENTRYPOINT = sys.argv.pop()
request_stop = Deletion._stop


def request_and_report_stop(deletion: Deletion, why: str) -> None:
    request_stop(deletion, why)
    os.write(PIPE, b".")


Deletion._stop = request_and_report_stop
runpy.run_path(ENTRYPOINT, run_name="__main__")
