"""Lets `python -m ci3` be the command."""

import sys

from ci3.cli import main

sys.exit(main())
