# The list of turns on this machine, in the registry, where only administrators and the account of the repairs write.
# Arguments: take, end or look, the turn's own name, its owner, seconds, what the list says of it or of its end,
# the numbers of the owner's repairs that are alive, with blanks around.
# Answers lines as recovery/platforms/turns.py's own script prints them.
param([string[]] $Arguments, [byte[]] $Bytes, $Budget)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# with: turn registry
$mode, $name, $owner, $span, $words, $alive = $Arguments
$answer = New-Object System.Collections.ArrayList
# The performance counter goes on from the start of the machine, whatever is done to its clock.
$up = [long] [Math]::Floor([Diagnostics.Stopwatch]::GetTimestamp() / [Diagnostics.Stopwatch]::Frequency)
$now = [long] [Math]::Floor(([DateTime]::UtcNow - (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc))).TotalSeconds)
try {
    if ($mode -ne 'look') { Enter-List }
    # Which run of the machine this is: a key that only memory holds. No turn of this run was begun before it was made.
    $run = Get-Run $up ($mode -ne 'look')
    $boot = $run[0]
    [void] $answer.Add("clock=$boot $up $([Math]::Max(0, $up - [long] $run[1])) $now")
    $lines = @(Get-Turns | Where-Object { $_ })
    $open = @{}
    foreach ($line in $lines) {
        $parts = $line.Split(' ')
        if ($parts[0] -eq 'begin' -and $parts.Length -gt 9) { $open[$parts[1]] = $parts } else { $open.Remove([string] $parts[1]) }
    }
    $new = @()
    if ($mode -eq 'end' -and $open.ContainsKey($name)) { $new += "end $name $boot $up $now $words" }
    if ($mode -eq 'take' -and -not $open.ContainsKey($name)) {
        $dead = @($open.Values | Where-Object { $_[6] -eq $owner -and -not $alive.Contains(" $($_[9]) ") })
        $others = @($open.Values | Where-Object { $dead -notcontains $_ -and $_[2] -eq $boot -and $up -lt [long] $_[3] + [long] $_[5] })
        if ($others.Count -gt 0) {
            [void] $answer.Add('busy=yes')
        } else {
            # What this owner began before and did not end was interrupted: it holds the machine's lock at home.
            foreach ($one in $dead) { $new += "end $($one[1]) $boot $up $now interrupted" }
            $new += "begin $name $boot $up $now $span $owner $words"
        }
    }
    if ($new.Count -gt 0) {
        $lines += $new
        if ($lines.Count -gt 400) { $lines = $lines[($lines.Count - 200)..($lines.Count - 1)] }
        Set-Turns ([string[]] $lines)
    }
    foreach ($line in $lines) { [void] $answer.Add($line) }
} catch {
    $cause = $_.Exception
    while ($cause.InnerException) { $cause = $cause.InnerException }
    $why = [string] $cause.Message
    if ($cause -is [UnauthorizedAccessException] -or $cause -is [Security.SecurityException]) {
        $why = "this account may not write HKLM\$turnKey, which contrib/windows/recovery-account.ps1 lets it"
    }
    [void] $answer.Add("unkept=$($why -replace '\s+', ' ')")
}
@{ lines = @($answer) }
