"""``python -m imap4.worker``, the same as ``imap4-worker``."""

from .cli import run

run()
