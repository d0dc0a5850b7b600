"""Definition files: a person's TOML -> frozen monitors, with every mistake told by its line."""
