"""``python -m genline`` is the same command as ``genline``."""

import sys

from genline.cli import main

sys.exit(main())
