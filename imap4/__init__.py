"""Everything about testing one IMAP4 server."""

__version__ = "0.1.0"
