"""Scripts over SSH, with paramiko."""
