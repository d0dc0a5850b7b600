"""Scripts over WinRM, with pywinrm."""
