"""Lets `python -m ci3` be the command."""

import sys

from ci3.cli.main import main

sys.exit(main())
