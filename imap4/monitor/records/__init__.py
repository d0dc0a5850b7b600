"""What tests leave behind for reports: from the lines that checks append to columnar files, and back."""
