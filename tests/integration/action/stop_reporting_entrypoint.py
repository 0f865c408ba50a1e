"""Run the action's entry point; write a byte to a pipe when a deletion is requested to stop.

Usage: python stop_reporting_entrypoint.py ENTRYPOINT FILE_DESCRIPTOR
"""

import os
import runpy
import sys

from ci3.engine.workers.run_control import RunControl

PIPE = int(sys.argv.pop())
ENTRYPOINT = sys.argv.pop()
request_stop = RunControl.stop


def request_and_report_stop(control: RunControl, reason: str) -> None:
    request_stop(control, reason)
    os.write(PIPE, b".")


RunControl.stop = request_and_report_stop
runpy.run_path(ENTRYPOINT, run_name="__main__")
