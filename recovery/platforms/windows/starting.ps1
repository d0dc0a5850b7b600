# How one service is started, and who sees to it when we are gone. Uses what restart.ps1 has set up.
function Start-Guard([string[]] $wanted) {
    # A process that outlives this shell, and starts what is left down when we have ended.
    $settings = ConvertTo-Json -Compress -InputObject @{ parent = $PID; names = $wanted; seconds = [int] $Arguments[2] }
    $packed = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($settings))
    $text = "`$settings = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('$packed')) | ConvertFrom-Json`n" + $Arguments[3]
    $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($text))
    $guard = @{ number = 0; kind = 'none' }
    $line = '"' + [Diagnostics.Process]::GetCurrentProcess().MainModule.FileName + '" -NoProfile -NonInteractive -EncodedCommand ' + $encoded
    # Windows' longest command line.
    if ($line.Length -lt 32700) { $guard = Start-Detached $line }
    if ($guard.kind -eq 'shell') {
        $answer.notes += 'the process that would start the services if the link died cannot leave the remote shell, and would end with it'
    } elseif ($guard.kind -eq 'none') {
        $answer.notes += 'no process could be started that would start the services if the link died'
    }
    $guard
}

function Stop-Guard($guard) {
    $now = (Get-ProcessTable)[[int] $guard.number]
    # Where it cannot be ended, it sees that all runs, and ends.
    if ($guard.number -and $null -ne $now) { [void] (Stop-OneProcess $guard.number $now.began) }
}

function Start-One([string] $name, [long] $until) {
    # '' when it runs, else why not.
    $call = $null
    $tries = 0
    $code = $null
    $began = Get-Spent
    $last = 0
    while ($true) {
        $now = Get-Status $name
        if ($now.gone -eq 1060) { return 'it no longer exists (error 1060)' }
        if ($now.gone) { return "its state cannot be read: $(Format-Problem $now.gone)" }
        if ($now.state -eq 4) { return '' }
        if ($call) {
            $code = Complete-Call $call
            # 1056: it runs already.
            if ($null -ne $code) { $call = $null; $last = Get-Spent; $now = Get-Status $name; if ($now.state -eq 4) { return '' } }
        }
        if ($null -eq $call) {
            $failed = ''
            # 1056 after a kill: its failure action is at it. 1055: the controller is at work on another.
            if ($null -ne $code -and $code -notin 0, 1056, 1055) { $failed = Format-Problem $code }
            elseif ($now.state -eq 1 -and $tries -gt 0) { $failed = Format-Exit $now }
            if ($failed -and ($tries -ge 2 -or $code -in 5, 1058, 1060, 1072, 1068, 1069, 1075, 2, 3, 193 -or $until - (Get-Spent) -lt 1000)) {
                return $failed
            }
            if ($failed) { $answer.notes += "$name ended while starting ($failed); started once more" }
            if ($now.state -eq 1 -and ($null -eq $code -or (Get-Spent) - $last -gt 500)) {
                $tries++
                $call = Start-Call 'start' $name
                $code = $null
            }
            if ($now.state -eq 7 -and $null -eq $code) { $call = Start-Call 'continue' $name }
        }
        if ((Get-Spent) -ge $until) {
            if ($now.state -eq 3) { $answer.left += $name; return 'it is still stopping' }
            $answer.left += $name
            return "it did not start within $(Get-Seconds ((Get-Spent) - $began)) s (checkpoint $($now.check), wait hint $(Get-Seconds $now.hint) s)"
        }
        Start-Sleep -Milliseconds 100
    }
}
