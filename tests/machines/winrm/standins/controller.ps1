# A service controller: each service has a state, and does what its entry says.
#   state, start (2 automatic, 3 manual, 4 disabled), needs, hidden, denied (list of rights), process, shares,
#   stop: {code, ms, never, dies}   start: {code, ms, ends: [CODE, ...], own}   hint, deleted, image, actions, starts (a
#   dependent that somebody starts when a stop of this is asked), gone (disappears when its stop is asked), cluster
$services0 = @{}
foreach ($one in @($standin.services.PSObject.Properties)) { $services0[$one.Name] = $one.Value }
$facts0 = @{}
$nextNumber = 5000
foreach ($name in @($services0.Keys)) {
    $entry = $services0[$name]
    $number = 0
    if ($entry.state -ne 1) { $number = $(if ($entry.process) { [int] $entry.process } else { $nextNumber++; $nextNumber }) }
    $facts0[$name] = @{ state = [int] $entry.state; accepted = 1; code = [long] $entry.code; own = [long] 0; check = 0; hint = [long] $entry.hint
        number = $number; alone = -not $entry.shares; name = $name; display = "$name shown"; gone = 0; due = $null; then = 0; asked = 0; tries = 0 }
    if ($number -and -not $processes0.ContainsKey($number)) { $processes0[$number] = [pscustomobject] @{ parent = 1; began = 100; name = "$name.exe"; kept = 0 } }
}
$clock0 = [Diagnostics.Stopwatch]::StartNew()
function Set-Ended([int] $number) { foreach ($one in $facts0.Values) { if ($one.number -eq $number) { $one.state = 1; $one.number = 0; $one.due = $null } } }
function Update-Facts($one) {
    if ($null -eq $one.due -or $clock0.ElapsedMilliseconds -lt $one.due) { return }
    $one.due = $null
    $one.state = $one.then
    if ($one.state -eq 1) {
        $number = $one.number
        $one.number = 0
        if ($number) { $one.late = $number }
        $linger = [int] $services0[$one.name].stop.linger
        if (-not $linger) { $processes0.Remove($number) } else { $one.lingers = $clock0.ElapsedMilliseconds + $linger; $one.old = $number }
    }
}
function Get-ServiceTable {
    if ($standin.manager) { throw "the service controller does not let this account in: $(Format-Problem $standin.manager)" }
    $table = @{}
    foreach ($name in $facts0.Keys) { Update-Facts $facts0[$name]; if (-not $services0[$name].hidden) { $table[$name] = $facts0[$name].Clone() } }
    $table
}
function Get-Status([string] $name) {
    $one = $facts0[$name]
    Update-Facts $one
    if ($one.lingers -and $clock0.ElapsedMilliseconds -ge $one.lingers) { $processes0.Remove($one.old) }
    if ($one.vanished) { return @{ gone = 1060; state = 0 } }
    $one.Clone()
}
function Get-Config([string] $name) {
    $entry = $services0[$name]
    if ($null -eq $entry) { return $null }
    @{ start = $(if ($entry.start) { [int] $entry.start } else { 3 }); delayed = $false; triggered = $false; type = 0x10; image = [string] $entry.image
        deleted = [bool] $entry.deleted; needs = @($entry.needs | Where-Object { $_ }); actions = @($entry.actions | Where-Object { $null -ne $_ }) }
}
function Test-Right([string] $name, [int] $rights) { if (@($services0[$name].denied) -contains $rights) { 5 } else { 0 } }
function Get-DependentTable {
    $table = @{}
    foreach ($name in $services0.Keys) { foreach ($need in @($services0[$name].needs)) { if ($need) { $table[$need] = @($table[$need]) + $name } } }
    $table
}
function Get-ControllerDependents([string] $name) { 5 }
function Get-ClusterGroup([string] $name) { [string] $services0[$name].cluster }
function Start-Call([string] $what, [string] $name) {
    Write-Call "$what $name"
    $one = $facts0[$name]
    $entry = $services0[$name]
    $now = $clock0.ElapsedMilliseconds
    if ($what -eq 'continue') { $one.state = 4; return @{ code = 0; at = $now } }
    if ($what -eq 'stop') {
        $one.asked++
        if ($entry.gone) { $one.vanished = $true; return @{ code = 0; at = $now } }
        if ($entry.starts -and $one.asked -eq 1) {
            $other = $facts0[$entry.starts]
            $other.state = 4
            $script:nextNumber++
            $other.number = $nextNumber
            $processes0[$nextNumber] = [pscustomobject] @{ parent = 1; began = 200; name = 'x'; kept = 0 }
            return @{ code = 1051; at = $now }
        }
        if ($entry.stop.dies) { $processes0.Remove($one.number); $one.state = 1; $one.number = 0; return @{ code = $entry.stop.code; at = $now } }
        if ($entry.stop.code -and $one.asked -le [int] $entry.stop.times) { return @{ code = $entry.stop.code; at = $now } }
        if ($entry.stop.blocks) { return @{ code = 0; at = $now + [int] $entry.stop.blocks } }
        $one.state = 3
        if (-not $entry.stop.never) { $one.due = $now + [int] $entry.stop.ms; $one.then = 1 }
        return @{ code = 0; at = $now }
    }
    $one.tries++
    if ($entry.start_call.code) { return @{ code = $entry.start_call.code; at = $now } }
    $ends = @($entry.start_call.ends | Where-Object { $null -ne $_ })
    if ($one.tries -le $ends.Count) { $one.code = [long] $ends[$one.tries - 1]; $one.own = [long] $entry.start_call.own; return @{ code = 0; at = $now } }
    $script:nextNumber++
    $one.number = $nextNumber
    $processes0[$nextNumber] = [pscustomobject] @{ parent = 1; began = 300; name = "$name.exe"; kept = 0 }
    $one.state = 2
    if (-not $entry.start_call.never) { $one.due = $now + [int] $entry.start_call.ms; $one.then = 4 }
    @{ code = 0; at = $now }
}
function Complete-Call($call) { if ($clock0.ElapsedMilliseconds -lt $call.at) { return $null }; [int] $call.code }
