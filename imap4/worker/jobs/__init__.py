"""Jobs: what is to be done about a command line, and its verdict."""
