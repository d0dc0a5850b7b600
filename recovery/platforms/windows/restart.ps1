# Stops services and what depends on them and runs, leaves first; starts them again in reverse.
# Arguments: mode (restart, alone or start), milliseconds to stop one, to start one, then the names.
# Whatever happens, what was stopped here is started again.
param([string[]] $Arguments, [byte[]] $Bytes)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$mode = $Arguments[0]
$stopLimit = [int] $Arguments[1]
$startLimit = [int] $Arguments[2]
$names = @($Arguments[3..($Arguments.Count - 1)])
# Without these there is no way back to the machine, or no record of what was done.
$vital = @('WinRM', 'RpcSs', 'RpcEptMapper', 'DcomLaunch', 'HTTP', 'EventLog')
$answer = @{ refused = ''; stopped = @(); started = @(); killed = @(); errors = @() }

$controllers = @{}
foreach ($one in Get-Service -ErrorAction SilentlyContinue) { $controllers[$one.Name] = $one }

function Get-Active([string] $name) {
    @($controllers[$name].DependentServices | Where-Object { $_.Status -ne 'Stopped' } |
        ForEach-Object { $_.Name })
}

function Wait-State([string] $name, [string] $state, [int] $milliseconds) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    while ($true) {
        $controllers[$name].Refresh()
        if ($controllers[$name].Status -eq $state) { return $true }
        if ($watch.ElapsedMilliseconds -ge $milliseconds) { return $false }
        Start-Sleep -Milliseconds 100
    }
}

function Stop-Host([string] $name) {
    # Only a process that hosts nothing else may be killed.
    $fields = 'Name', 'ProcessId'
    $every = @(Get-CimInstance -ClassName Win32_Service -Property $fields)
    $number = @($every | Where-Object { $_.Name -eq $name })[0].ProcessId
    $neighbours = @($every | Where-Object { $_.ProcessId -eq $number })
    if ($number -eq 0 -or $neighbours.Count -ne 1) { return $false }
    Stop-Process -Id $number -Force
    Wait-State $name 'Stopped' 5000
}

function Stop-One([string] $name) {
    $controllers[$name].Refresh()
    if ($controllers[$name].Status -ne 'StopPending') { $controllers[$name].Stop() }
    if (Wait-State $name 'Stopped' $stopLimit) { return }
    if (-not (Stop-Host $name)) { throw "$name did not stop within $($stopLimit / 1000) s" }
    $answer.killed += $name
}

function Start-One([string] $name) {
    $controllers[$name].Refresh()
    if ($controllers[$name].Status -eq 'Stopped') { $controllers[$name].Start() }
    if ($controllers[$name].Status -eq 'Paused') { $controllers[$name].Continue() }
    if (-not (Wait-State $name 'Running' $startLimit)) {
        throw "$name did not start within $($startLimit / 1000) s"
    }
}

function Get-Cause($record) {
    $cause = $record.Exception
    while ($cause.InnerException) { $cause = $cause.InnerException }
    # The number says the same in every language.
    if ($cause -is [ComponentModel.Win32Exception]) {
        return "$($cause.Message) (error $($cause.NativeErrorCode))"
    }
    [string] $cause.Message
}

foreach ($name in $names) {
    if (-not $controllers.ContainsKey($name)) { $answer.refused = "$name does not exist" }
}
if ($answer.refused) { return $answer }

# Who is in it: the list, and all that depends on it and runs.
$members = New-Object System.Collections.ArrayList
$waiting = New-Object System.Collections.Queue
foreach ($name in $names) { $waiting.Enqueue($controllers[$name].Name) }
while ($waiting.Count -gt 0) {
    $name = $waiting.Dequeue()
    if ($members.Contains($name)) { continue }
    [void] $members.Add($name)
    if ($mode -eq 'restart') { foreach ($one in Get-Active $name) { $waiting.Enqueue($one) } }
}
if ($mode -ne 'start') {
    foreach ($name in $members) {
        if ($vital -contains $name) { $answer.refused = "$name would stop" }
        foreach ($one in Get-Active $name) {
            if (-not $members.Contains($one)) { $answer.refused = "$one runs and depends on $name" }
        }
    }
}
if ($answer.refused) { return $answer }

# Leaves first: a service whose dependents among the members are all in the order already.
$order = New-Object System.Collections.ArrayList
while ($order.Count -lt $members.Count) {
    $before = $order.Count
    foreach ($name in $members) {
        $left = @($controllers[$name].DependentServices |
            Where-Object { $members.Contains($_.Name) -and -not $order.Contains($_.Name) })
        if (-not $order.Contains($name) -and $left.Count -eq 0) { [void] $order.Add($name) }
    }
    if ($order.Count -eq $before) { throw 'the dependencies of these services run in a circle' }
}
$complete = $true
if ($mode -ne 'start') {
    foreach ($name in $order) {
        $controllers[$name].Refresh()
        if ($controllers[$name].Status -eq 'Stopped') { continue }
        try {
            Stop-One $name
            $answer.stopped += $name
        } catch {
            $answer.errors += "$name could not be stopped: $(Get-Cause $_)"
            $complete = $false
            break
        }
    }
}
$starts = @($order)
# After a failed stop, only what went down here comes up again.
if (-not $complete) { $starts = @($answer.stopped) }
[array]::Reverse($starts)
foreach ($name in $starts) {
    try {
        Start-One $name
        $answer.started += $name
    } catch {
        $answer.errors += "$name could not be started: $(Get-Cause $_)"
    }
}
$answer
