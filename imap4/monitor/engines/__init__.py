"""What each monitoring engine is given: its configuration, its doctor, and what a repair reports to it."""
