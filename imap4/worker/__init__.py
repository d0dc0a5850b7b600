"""The worker: runs checks for Nagios Core and Naemon, many at a time, in a few processes."""
