# The last lines that the event logs hold of a service. Arguments: its name, how many minutes to look back.
param([string[]] $Arguments, [byte[]] $Bytes, $Budget)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# with: native controller system
$name = $Arguments[0]
$shown = $name
foreach ($one in (Get-ServiceTable).Values) { if ($one.name -eq $name) { $shown = $one.display } }
$events = @(Get-LogEvents (Get-Date).AddMinutes(-[int] $Arguments[1]))
$about = @($events | Where-Object {
        $_.ProviderName -eq $name -or $_.ProviderName -eq $shown -or
        ($_.ProviderName -eq 'Service Control Manager' -and $_.Message -and $_.Message.Contains($shown))
    } | Sort-Object -Property TimeCreated | Select-Object -Last 5)
@{ lines = @($about | ForEach-Object { [string] $_.Message }) }
