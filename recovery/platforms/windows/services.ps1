# States the facts of services. Arguments: their names, compared whole; none: the names of all of them.
param([string[]] $Arguments, [byte[]] $Bytes, $Budget)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# with: native controller obstacles
$table = Get-ServiceTable
if (-not $Arguments) { return @{ names = @($table.Values | ForEach-Object { [string] $_.name }) } }
$hosted = @{}
foreach ($one in $table.Values) { $hosted[$one.number] += 1 }
# When a process began tells two processes with the same number apart.
$processes = Get-ProcessTable
$everybody = Get-DependentTable
$hidden = @()
$found = foreach ($name in $Arguments) {
    $one = $table[$name]
    if ($null -eq $one) {
        $config = Get-Config $name
        # 0x30: a service, not a driver. The account may not query it.
        if ($null -ne $config -and ($config.type -band 0x30)) { $hidden += $name }
        continue
    }
    $config = Get-Config $one.name
    $began = ''
    if ($processes.ContainsKey($one.number)) { $began = [string] $processes[$one.number].began }
    # Why a restart would be refused, as restart.ps1 sees it.
    $hindrance = [string] (Get-Obstacle $one.name $table)
    if (-not $hindrance) { $hindrance = [string] (Get-MissingRight $one.name 'restart') }
    @{
        hindrance = $hindrance
        name = [string] $one.name
        display = [string] $one.display
        state = $one.state
        disabled = ($null -ne $config -and $config.start -eq 4)
        pid = $one.number
        began = $began
        shared = ($one.number -ne 0 -and $hosted[$one.number] -gt 1)
        code = $one.code
        own = $one.own
        dependents = @(Get-Dependents $one.name $everybody | ForEach-Object { [string] $_ })
    }
}
@{ services = @($found | Where-Object { $null -ne $_ }); hidden = $hidden }
