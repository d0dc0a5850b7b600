"""Tests every monitor of a definitions file in one process."""
