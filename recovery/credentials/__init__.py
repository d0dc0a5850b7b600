"""The encrypted store of credentials, who may use which, and how their secrets are read."""
