"""The forms of a report: text, data for programs, a page."""
