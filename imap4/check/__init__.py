"""The check: one test of one IMAP4 server, from the command line to the status line."""
