"""TLS in the check: the handshake, the certificates, and what went wrong in words."""
