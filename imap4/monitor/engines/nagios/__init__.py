"""Nagios Core 4 and Naemon."""
