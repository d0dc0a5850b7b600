"""``python -m imap4.worker``, the same as ``imap4-worker``."""

from imap4.worker.cli import run

run()
