# How one service is stopped, whatever it does about it. Uses what restart.ps1 has set up.
function Get-Seconds([long] $milliseconds) { [Math]::Round($milliseconds / 1000, 1).ToString([Globalization.CultureInfo]::InvariantCulture) }

function Format-Exit($status) {
    # 1066: the service has a number of its own. 1077: it was never started.
    if ($status.code -eq 1066) { return "it ended with its own code $($status.own) (error 1066)" }
    if ($status.code -eq 0) { return 'it ended without an error' }
    "it ended: $(Format-Problem $status.code)"
}

function Wait-OldProcess([string] $name, $old, [long] $until) {
    # A service may say that it has stopped and tidy up for seconds: the next run meets its locks.
    while ($old.alone -and $old.number -ne 0) {
        $now = (Get-ProcessTable)[$old.number]
        if ($null -eq $now -or $now.began -ne $old.began) { break }
        if ((Get-Spent) -ge $until) {
            $answer.notes += "$name has stopped, but its process $($old.number) is still there"
            break
        }
        Start-Sleep -Milliseconds 100
    }
    # The child of a wrapper keeps the port that the next run needs.
    if ($old.family.Count -eq 0) { return }
    $processes = Get-ProcessTable
    foreach ($one in $old.family) {
        $now = $processes[$one.number]
        if ($null -ne $now -and $now.began -eq $one.began) {
            $answer.notes += "what $name had started is left running: $($one.name) (process $($one.number))"
        }
    }
}

function Stop-Host([string] $name, $status, $old) {
    # '' or why it was not killed. A kill is for what has a process of its own, and is past its own word.
    $neighbours = @((Get-ServiceTable).Values | Where-Object { $_.number -eq $status.number })
    if ($status.number -eq 0 -or $neighbours.Count -ne 1) { return 'its process hosts other services' }
    $actions = (Get-Config $name).actions
    # SC_ACTION: 0 none, 1 restart the service, 2 reboot the computer, 3 run a program.
    if ($actions -contains 2) { return 'it was not killed: its failure actions would reboot the computer' }
    if ($actions -contains 3) { return 'it was not killed: its failure actions would run a program' }
    $processes = Get-ProcessTable
    $family = @(Get-Family $status.number $processes)
    $own = $processes[$status.number]
    if ($null -eq $own) { return '' }
    $problem = Stop-OneProcess $own.number $own.began
    if ($problem) {
        return "its process $($own.number) may not be killed: $problem (that right has an administrator, or the owner of the process)"
    }
    $answer.killed += "$name (process $($own.number))"
    foreach ($one in $family) {
        $problem = Stop-OneProcess $one.number $one.began
        if ($problem) {
            $answer.notes += "$($one.name) (process $($one.number)), which $name had started, is left: $problem"
        } else {
            $answer.killed += "$($one.name) (process $($one.number)) of $name"
        }
    }
    ''
}

function Stop-One([string] $name, [long] $until) {
    # '' when it is stopped, else why not.
    $call = $null
    $asked = $false
    $code = 0
    $check = -1
    $moved = Get-Spent
    $killed = $false
    $first = Get-Status $name
    $old = @{ number = $first.number; alone = $first.alone; began = 0; family = @() }
    if ($first.number) {
        $processes = Get-ProcessTable
        if ($processes.ContainsKey($first.number)) { $old.began = $processes[$first.number].began }
        if ($first.alone) { $old.family = @(Get-Family $first.number $processes) }
    }
    while ($true) {
        $now = Get-Status $name
        if ($now.gone -eq 1060) { return 'it no longer exists (error 1060)' }
        if ($now.gone) { return "its state cannot be read any more: $(Format-Problem $now.gone)" }
        if ($call) {
            $said = Complete-Call $call
            if ($null -ne $said) { $code = $said; $call = $null; $done = Get-Spent }
        }
        # Whatever Stop said: stopped is stopped (1062: it had ended by itself; 109: it crashed in its handler).
        if ($now.state -eq 1) { break }
        if ($now.check -ne $check) { $check = $now.check; $moved = Get-Spent }
        if ($code -eq 5) { return Format-Problem 5 }
        if ($code -eq 1051) {
            # Somebody started a dependent meanwhile.
            $script:table = Get-ServiceTable
            $dependents.Remove($name)
            $extra = @(Get-Active $name | Where-Object { -not $ours.Contains($_) })
            if ($answer.refused -or $extra.Count -eq 0) { return "something that runs depends on it: $(Format-Problem 1051)" }
            foreach ($one in $extra) {
                if ($vital -contains $one) { return "$one runs and depends on it" }
                $answer.notes += "$one, which depends on $name, was started meanwhile and is restarted too"
                $problem = Stop-One $one $until
                if ($problem) { return "$one, which depends on it, could not be stopped: $problem" }
                $answer.stopped += $one
            }
            $asked = $false
            $code = 0
        }
        # Not able to take a control now (starting, stopping): asked again when the state has changed.
        if ($code -in 1061, 1052 -and (Get-Spent) - $done -gt 300) { $asked = $false; $code = 0 }
        if (-not $asked -and $null -eq $call -and $now.state -in 4, 7) {
            if (-not $ours.Contains($name)) { [void] $ours.Add($name) }
            $call = Start-Call 'stop' $name
            $asked = $true
        } elseif (-not $ours.Contains($name) -and $now.state -in 3) {
            # Somebody else's stop that hangs: ours to bring up all the same.
            [void] $ours.Add($name)
        }
        $spent = Get-Spent
        if ($spent -ge $until) {
            $why = "$name did not stop within $(Get-Seconds ($spent - $begun)) s"
            if ($code) { $why += ": $(Format-Problem $code)" }
            if ($killed) { return "$why, and it was killed" }
            if (-not $mayKill) { return $why }
            # Its own word: that long without a new checkpoint it may be.
            if ($now.state -eq 3 -and $spent - $moved -lt $now.hint) {
                if ($moved + $now.hint -lt $limit * 0.7) { $until = $moved + $now.hint; continue }
                return "$why; it was not killed, since it says that it is at work (wait hint $(Get-Seconds $now.hint) s)"
            }
            $problem = Stop-Host $name $now $old
            if ($problem) { return "$why; $problem" }
            $killed = $true
            $until = [Math]::Min($limit * 0.7, $spent + 5000)
        }
        Start-Sleep -Milliseconds 100
    }
    if ($killed) { $old.family = @() }
    Wait-OldProcess $name $old ([Math]::Max($until, $stopEnd))
    ''
}
