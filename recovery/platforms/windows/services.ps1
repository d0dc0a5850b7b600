# States the facts of services. Arguments: their names, compared whole; none: all of them.
param([string[]] $Arguments, [byte[]] $Bytes)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$wanted = @{}
foreach ($name in $Arguments) { $wanted[$name] = $true }
$fields = 'Name', 'DisplayName', 'State', 'StartMode', 'ProcessId', 'ServiceType', 'ExitCode'
$every = @(Get-CimInstance -ClassName Win32_Service -Property $fields)
$hosted = @{}
foreach ($one in $every) { $hosted[[string] $one.ProcessId] += 1 }
# When a process began tells two processes with the same number apart.
$began = @{}
$fields = 'ProcessId', 'CreationDate'
foreach ($one in Get-CimInstance -ClassName Win32_Process -Property $fields) {
    if ($one.CreationDate) {
        $began[[string] $one.ProcessId] = [string] $one.CreationDate.ToUniversalTime().Ticks
    }
}
$controllers = @{}
foreach ($one in Get-Service -ErrorAction SilentlyContinue) { $controllers[$one.Name] = $one }
$found = foreach ($one in $every) {
    if ($wanted.Count -gt 0 -and -not $wanted.ContainsKey($one.Name)) { continue }
    $number = [string] $one.ProcessId
    $dependents = @()
    if ($controllers.ContainsKey($one.Name)) {
        # Some services tell nothing to an account that is no administrator.
        try {
            $dependents = @($controllers[$one.Name].DependentServices | ForEach-Object { [string] $_.Name })
        } catch {
            $null = $_
        }
    }
    @{
        name = [string] $one.Name
        display = [string] $one.DisplayName
        state = [string] $one.State
        start = [string] $one.StartMode
        pid = [int] $one.ProcessId
        began = [string] $began[$number]
        shared = ($hosted[$number] -gt 1 -and $one.ProcessId -ne 0)
        code = [long] $one.ExitCode
        dependents = $dependents
    }
}
@{ services = @($found | Where-Object { $null -ne $_ }) }
