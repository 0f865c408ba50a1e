"""Entry point of `python -m ci3`."""

import sys

from ci3.cli.main import main

sys.exit(main())
