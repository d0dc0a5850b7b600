"""What people see of the records: numbers, stories and pictures, each defined in ``docs/reports.md``."""
