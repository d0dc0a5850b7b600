# Writes the marker, which only memory holds, and asks for a clean reboot in a moment.
# Arguments: the marker's key, seconds until the reboot, the text that users are shown.
param([string[]] $Arguments, [byte[]] $Bytes, $Budget)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# with: turn system
if (-not (Enter-Turn 3000)) { return @{ busy = $true } }
$there = Test-Key $Arguments[0]
New-Marker $Arguments[0]
$told = Invoke-Shutdown '/r', '/t', $Arguments[1], '/c', $Arguments[2], '/d', 'p:4:1'
if ($told.code -ne 0 -and -not $there) { Remove-Marker $Arguments[0] }
$told
