# Writes the marker, which only memory holds, and asks for a clean reboot in a moment.
# Arguments: the marker's key, seconds until the reboot, the text that users are shown.
param([string[]] $Arguments, [byte[]] $Bytes)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$root = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')
$rights = [Microsoft.Win32.RegistryKeyPermissionCheck]::ReadWriteSubTree
$volatile = [Microsoft.Win32.RegistryOptions]::Volatile
$there = $root.OpenSubKey($Arguments[0])
$key = $root.CreateSubKey($Arguments[0], $rights, $volatile)
$key.Close()
$program = Join-Path $env:SystemRoot 'System32\shutdown.exe'
# What a program writes to standard error must not end this script: its exit code counts.
$ErrorActionPreference = 'Continue'
$said = & $program '/r' '/t' $Arguments[1] '/c' $Arguments[2] '/d' 'p:4:1' 2>&1 | Out-String
$code = $LASTEXITCODE
if ($code -ne 0 -and $null -eq $there) { $root.DeleteSubKey($Arguments[0], $false) }
@{ code = [int] $code; said = [string] $said }
