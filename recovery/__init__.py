"""Repairs the machine behind a monitored service, and proves that it did."""
