"""``python -m recovery`` is ``imap4-recovery``."""

import sys

from recovery.cli import main

sys.exit(main())
