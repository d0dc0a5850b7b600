"""From a machine's name to a link to it, and what is to be seen there."""
