"""The ways to log in, and what each needs. Pure."""

from __future__ import annotations

SSH = ("ssh-password", "ssh-key", "ssh-agent")
WINRM = ("winrm-ntlm", "winrm-kerberos", "winrm-credssp", "winrm-certificate", "winrm-basic")
METHODS = (*SSH, *WINRM)

SEALING = ("winrm-ntlm", "winrm-kerberos", "winrm-credssp")
"""Those whose messages can be sealed, so that HTTP is safe with them."""
WITH_PASSWORD = ("ssh-password", "winrm-ntlm", "winrm-kerberos", "winrm-credssp", "winrm-basic")
NEEDING_PASSWORD = ("ssh-password", "winrm-ntlm", "winrm-credssp", "winrm-basic")
"""Kerberos can also use a ticket that is there already."""
WITH_KEY = ("ssh-key", "winrm-certificate")

HTTPS_PORT, HTTP_PORT = 5986, 5985
"""Where WinRM listens."""


def is_winrm(method: str) -> bool:
    """Whether ``method`` leads to Windows."""
    return method.startswith("winrm-")
