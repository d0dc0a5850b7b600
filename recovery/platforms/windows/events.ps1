# The last lines that the event logs hold of a service. Arguments: its name, how many minutes to look back.
param([string[]] $Arguments, [byte[]] $Bytes)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$name = $Arguments[0]
$since = (Get-Date).AddMinutes(-[int] $Arguments[1])
$shown = $name
foreach ($one in Get-Service -ErrorAction SilentlyContinue) { if ($one.Name -eq $name) { $shown = $one.DisplayName } }
$events = @()
foreach ($log in 'System', 'Application') {
    # Without a single event, Get-WinEvent fails.
    try { $events += @(Get-WinEvent -FilterHashtable @{ LogName = $log; StartTime = $since } -MaxEvents 200) } catch {
        $null = $_
    }
}
$about = @($events | Where-Object {
        $_.ProviderName -eq $name -or $_.ProviderName -eq $shown -or
        ($_.ProviderName -eq 'Service Control Manager' -and $_.Message -and $_.Message.Contains($shown))
    } | Sort-Object -Property TimeCreated | Select-Object -Last 5)
@{ lines = @($about | ForEach-Object { [string] $_.Message }) }
