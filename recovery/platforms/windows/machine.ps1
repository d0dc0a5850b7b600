# States which run of the machine this is, and whether it is still starting. Argument: the marker's key.
param([string[]] $Arguments, [byte[]] $Bytes, $Budget)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# with: native controller system
# When Windows' first processes began is written once: a clock that is set later does not change it.
$processes = Get-ProcessTable
$boot = ''
foreach ($name in 'services.exe', 'wininit.exe', 'smss.exe') {
    $first = @($processes.Values | Where-Object { $_.name -eq $name } | Sort-Object -Property { $_.began })[0]
    if ($null -ne $first) { $boot = [string] $first.began }
}
$uptime = Get-UptimeSeconds
$table = Get-ServiceTable
$starting = @($table.Values | Where-Object { $_.state -eq 2 } | ForEach-Object { [string] $_.name })
# 1077: never started in this run. Some automatic services wait for what never comes: not asked for ever.
if ($uptime -lt 180) {
    foreach ($one in $table.Values) {
        if ($one.state -ne 1 -or $one.code -ne 1077) { continue }
        $config = Get-Config $one.name
        if ($null -ne $config -and $config.start -eq 2 -and -not $config.delayed -and -not $config.triggered) { $starting += [string] $one.name }
    }
}
@{
    boot = $boot
    uptime = $uptime
    marker = Test-Key $Arguments[0]
    starting = $starting
    finishing = @(Get-Finishing)
    servicing = @(Get-Servicing $processes | Select-Object -Unique)
    users = @(Get-LoggedOn $processes | Select-Object -Unique)
}
