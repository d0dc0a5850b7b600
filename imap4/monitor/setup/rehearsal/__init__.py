"""The set-up's rehearsal: a private engine goes through an outage of a server that we break."""
