"""The monitor around the check: ipMonitor's definitions, states and alerts on today's engines."""
