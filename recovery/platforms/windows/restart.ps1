# Stops services and what depends on them and runs, leaves first; starts them again in reverse.
# Arguments: mode (restart, alone or start), whether a service that does not stop may be killed (kill or keep),
# seconds for the guard, the guard's text, the names.
# Once a stop was asked, the service is ours to bring up, whatever happens to it, to us or to the link.
param([string[]] $Arguments, [byte[]] $Bytes, $Budget)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# with: clock turn native controller obstacles stopping starting
$mode = $Arguments[0]
$limit = [long] $Budget.script
$mayKill = $Arguments[1] -eq 'kill'
$names = @($Arguments[4..($Arguments.Count - 1)])
# Without these there is no way back to the machine, or no record of what was done.
$vital = @('WinRM', 'RpcSs', 'RpcEptMapper', 'DcomLaunch', 'HTTP', 'EventLog')
$answer = @{ refused = ''; stopped = @(); started = @(); killed = @(); errors = @(); notes = @(); left = @() }
# What stops keeps this much for the starts.
$stopEnd = [long] ($limit * 0.6)
$begun = Get-Spent

$table = Get-ServiceTable
$everybody = Get-DependentTable
$dependents = @{}
# What was asked to stop, in that order; also what somebody else's time-out may find still stopping.
$ours = New-Object System.Collections.ArrayList
$order = New-Object System.Collections.ArrayList

function Get-Active([string] $name) {
    # What depends on it and is not stopped. Whoever cannot be seen may run: that is refused.
    if (-not $dependents.ContainsKey($name)) { $dependents[$name] = @(Get-Dependents $name $everybody) }
    foreach ($one in $dependents[$name]) {
        if (-not $table.ContainsKey($one)) {
            $answer.refused = "$name`: $(Get-Obstacle $one $table), and depends on it"
        } elseif ($table[$one].state -ne 1) {
            $table[$one].name
        }
    }
}

# Who is in it: the list, and all that depends on it and runs.
$members = New-Object System.Collections.ArrayList
$waiting = New-Object System.Collections.Queue
foreach ($name in $names) {
    $problem = ''
    if (-not $table.ContainsKey($name)) { $problem = Get-Obstacle $name $table }
    if ($problem) { $answer.refused = $problem; return $answer }
    $waiting.Enqueue($table[$name].name)
}
while ($waiting.Count -gt 0) {
    $name = $waiting.Dequeue()
    if ($members.Contains($name)) { continue }
    [void] $members.Add($name)
    if ($mode -eq 'restart') { foreach ($one in Get-Active $name) { $waiting.Enqueue($one) } }
}
foreach ($name in $members) {
    if ($mode -ne 'start') {
        if ($vital -contains $name) { $answer.refused = "$name would stop" }
        foreach ($one in Get-Active $name) {
            if (-not $members.Contains($one)) { $answer.refused = "$one runs and depends on $name" }
        }
    }
    $problem = Get-Obstacle $name $table
    if (-not $problem) { $problem = Get-MissingRight $name $mode }
    if ($problem -and -not $answer.refused) { $answer.refused = $problem }
}
if ($answer.refused) { return $answer }

# Leaves first: a service whose dependents among the members are all in the order already.
while ($order.Count -lt $members.Count) {
    $before = $order.Count
    foreach ($name in $members) {
        if (-not $dependents.ContainsKey($name)) { $dependents[$name] = @(Get-Dependents $name $everybody) }
        $open = @($dependents[$name] | Where-Object { $members.Contains($_) -and -not $order.Contains($_) })
        if (-not $order.Contains($name) -and $open.Count -eq 0) { [void] $order.Add($name) }
    }
    if ($order.Count -eq $before) { throw 'the dependencies of these services run in a circle' }
}

# What is begun must be brought to its end.
$need = 1000 + 500 * $order.Count
if ($limit - (Get-Spent) -lt $need) {
    $answer.refused = "only $(Get-Seconds ([Math]::Max(0, $limit - (Get-Spent)))) s are left, and that may be too " +
    "little to stop and start $($order.Count); give it longer (--timeout)"
    return $answer
}

# The one before us may just be ending.
if (-not (Enter-Turn 3000)) {
    $answer.refused = 'another repair is at work on the machine'
    $answer.busy = $true
    return $answer
}

$guard = $null
$complete = $true
try {
    if ($mode -ne 'start') {
        $stops = @($order | Where-Object { $table[$_].state -ne 1 })
        if ($stops.Count -gt 0) {
            $reversed = @($stops)
            [array]::Reverse($reversed)
            $guard = Start-Guard $reversed
        }
        for ($i = 0; $i -lt $stops.Count; $i++) {
            # All the time that is left, but a second for each that follows.
            $problem = Stop-One $stops[$i] ([Math]::Max((Get-Spent) + 500, $stopEnd - 1000 * ($stops.Count - 1 - $i)))
            if ($problem) {
                $answer.errors += "$($stops[$i]) could not be stopped: $problem"
                $complete = $false
                break
            }
            $answer.stopped += $stops[$i]
        }
    }
} catch {
    $cause = $_.Exception
    while ($cause.InnerException) { $cause = $cause.InnerException }
    $answer.errors += [string] $cause.Message
    $complete = $false
}
# What somebody had started meanwhile comes last, as it was stopped first.
$starts = @($ours)
if ($complete) { $starts = @($order | Where-Object { -not $ours.Contains($_) -and ($names -contains $_ -or $mode -eq 'start') }) + $starts }
$sorted = @($order | Where-Object { $starts -contains $_ })
$starts = @($starts | Where-Object { $sorted -notcontains $_ }) + $sorted
[array]::Reverse($starts)
for ($i = 0; $i -lt $starts.Count; $i++) {
    try {
        $problem = Start-One $starts[$i] ([Math]::Max((Get-Spent) + 500, $limit - 1000 * ($starts.Count - 1 - $i)))
    } catch {
        $problem = [string] $_.Exception.Message
        $answer.left += $starts[$i]
    }
    if ($problem) { $answer.errors += "$($starts[$i]) could not be started: $problem" } else { $answer.started += $starts[$i] }
}
$answer.asked = @($ours)
if ($null -ne $guard) {
    if ($answer.left.Count -gt 0) {
        $answer.notes += "a process on the machine ($($guard.number)) starts $($answer.left -join ', ') as soon as that can be"
    } else {
        Stop-Guard $guard
    }
}
$answer
