"""Whether to act, and why not. Pure: no clock, no disk, no network."""
