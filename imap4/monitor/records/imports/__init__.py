"""What engines logged before there were records: read, and brought into the store."""
