"""``imap4-monitor setup``: from installed programs to an engine that tests, alerts and repairs, and back."""
