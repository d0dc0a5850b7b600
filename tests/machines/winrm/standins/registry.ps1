# The list of turns in a file, and the run of the machine that $env:STANDIN says.
$turnKey = 'SOFTWARE\check_imap4'
function Enter-List { }
function Get-Run([long] $up, [bool] $make) {
    $said = ($env:STANDIN | ConvertFrom-Json).run
    if ($said.refused) { throw [UnauthorizedAccessException] 'no' }
    [string] $said.name, [long] ($up - $said.since)
}
function Get-Turns { if ([IO.File]::Exists($env:STANDIN_TURNS)) { [IO.File]::ReadAllLines($env:STANDIN_TURNS) } }
function Set-Turns([string[]] $lines) { [IO.File]::WriteAllLines($env:STANDIN_TURNS, $lines) }
