"""Everything about testing one IMAP4 server."""

__version__ = "0.1.0"

COMMIT = ""
"""The commit of a build that is no release; tools/commit.py writes it here in what is built."""

VERSION = f"{__version__}+g{COMMIT}" if COMMIT else __version__
"""What ``--version`` says."""
