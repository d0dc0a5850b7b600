"""One recovery, from the decision to the last line: at once, in the background, or as a dry run."""
