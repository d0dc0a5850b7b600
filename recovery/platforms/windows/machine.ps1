# States which run of the machine this is, and whether it is still starting. Argument: the marker's key.
param([string[]] $Arguments, [byte[]] $Bytes)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$fields = 'LastBootUpTime', 'LocalDateTime'
$system = Get-CimInstance -ClassName Win32_OperatingSystem -Property $fields
$root = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')
$key = $root.OpenSubKey($Arguments[0])
$every = @(Get-Service -ErrorAction SilentlyContinue)
$busy = @($every | Where-Object { $_.Status -eq 'StartPending' } | ForEach-Object { [string] $_.Name })
@{
    boot = [string] $system.LastBootUpTime.ToUniversalTime().Ticks
    uptime = [double] ($system.LocalDateTime - $system.LastBootUpTime).TotalSeconds
    marker = ($null -ne $key)
    starting = $busy
}
