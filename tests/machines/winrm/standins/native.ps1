# Instead of Windows' own functions, where there is none: processes as $env:STANDIN says.
# {"services": {NAME: {...}}, "processes": {NUMBER: {"parent": N, "began": N, "name": TEXT, "kept": ERROR}}}
$standin = $env:STANDIN | ConvertFrom-Json
$native = $null
$none = [IntPtr]::Zero
$processes0 = @{}
foreach ($one in @($standin.processes.PSObject.Properties)) { if ($one) { $processes0[[int] $one.Name] = $one.Value } }
function Write-Call([string] $text) { [IO.File]::AppendAllText($env:STANDIN_LOG, "$text`n") }
function Format-Problem([int] $code) { "problem (error $code)" }
function Get-ProcessTable {
    $table = @{}
    foreach ($number in $processes0.Keys) {
        $one = $processes0[$number]
        $table[$number] = @{ number = $number; parent = [int] $one.parent; began = [long] $one.began; name = [string] $one.name }
    }
    $table
}
function Get-Family([int] $number, $processes) {
    foreach ($one in $processes.Values) { if ($one.parent -eq $number) { $one; Get-Family $one.number $processes } }
}
function Stop-OneProcess([int] $number, [long] $began) {
    if (-not $processes0.ContainsKey($number)) { return '' }
    if ($processes0[$number].kept) { return Format-Problem $processes0[$number].kept }
    Write-Call "kill $number"
    $processes0.Remove($number)
    if (Get-Command -Name Set-Ended -ErrorAction SilentlyContinue) { Set-Ended $number }
    ''
}
function Get-UptimeSeconds { [double] $standin.uptime }
function Start-Detached([string] $line) {
    Write-Call 'guard'
    $kind = $(if ($standin.guard) { [string] $standin.guard } else { 'detached' })
    @{ number = 0; kind = $kind }
}
