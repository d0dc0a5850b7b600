# Runs texts of guard.ps1 on services that do as the file of cases says; answers what was done to them, case by case.
param([string] $File)
$ErrorActionPreference = 'Stop'
$cases = [IO.File]::ReadAllText($File) | ConvertFrom-Json
$script:log = $null
$script:looks = 0
$script:rounds = 0
$script:parent = $null
$script:table = $null

function Start-Sleep([int] $Milliseconds) {
    # Rounds instead of time, but for the guard's own end.
    $script:rounds++
    if ($rounds -gt 20) { [Threading.Thread]::Sleep(10) }
    if ($rounds -gt 150) { throw 'endless' }
}

function Get-Service {
    if ($parent -and -not $parent.HasExited) { [void] $log.Add('looked while its parent lives') }
    foreach ($one in $table) {
        if ($one.Does -eq 'slow' -and $one.Status -eq 'StartPending' -and $rounds -gt 3) {
            $one.Status = 'Running'
            [void] $log.Add("$($one.Name) runs")
        }
    }
    $table
}

function New-Service0([string] $name, [string] $does) {
    $one = [pscustomobject] @{ Name = $name; Does = $does; Status = $(if ($does -eq 'well') { 'Running' } else { 'Stopped' }); Refused = 0 }
    $one | Add-Member -MemberType ScriptMethod -Name Start -Value {
        [void] $script:log.Add("start $($this.Name)")
        if ($this.Does -eq 'refused once' -and $this.Refused -eq 0) { $this.Refused = 1; throw 'error 1055' }
        if ($this.Does -in 'slow', 'stuck') { $this.Status = 'StartPending' }
        if ($this.Does -in 'runs', 'refused once') { $this.Status = 'Running'; [void] $script:log.Add("$($this.Name) runs") }
    }
    $one
}

$answers = foreach ($case in $cases) {
    $script:log = New-Object System.Collections.ArrayList
    $script:rounds = 0
    $script:table = @($case.services | Where-Object { $_[1] -ne 'gone' } | ForEach-Object { New-Service0 $_[0] $_[1] })
    $script:parent = $null
    $number = 2147483000
    if ($case.parent) { $script:parent = [Diagnostics.Process]::Start('sleep', '1'); $number = $parent.Id }
    $settings = [pscustomobject] @{ parent = $number; names = @($case.services | ForEach-Object { $_[0] }); seconds = [int] $case.seconds }
    try {
        $ErrorActionPreference = 'Continue'
        & ([scriptblock]::Create($case.text))
    } catch {
        [void] $log.Add([string] $_.Exception.Message)
    }
    $ErrorActionPreference = 'Stop'
    if ($rounds -gt 30) { [void] $log.Add('ended by its time') }
    # A list of one stays a list.
    , [string[]] @($log)
}
ConvertTo-Json -Compress -Depth 4 -InputObject @($answers)
