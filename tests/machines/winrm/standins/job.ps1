# A program and its children: without jobs there is the family by parents' numbers alone, from /proc.
function New-Job { 'none' }
function Set-JobEnd($job, [bool] $ends) { $null = $job, $ends }
function Add-ToJob($job, $process) { $null = $job, $process; $false }
function Get-JobCount($job) { $null = $job; 0 }
function Stop-Members($job) { $null = $job }
function Get-ProcessTable {
    $table = @{}
    foreach ($one in [Diagnostics.Process]::GetProcesses()) {
        try {
            $words = ([IO.File]::ReadAllText("/proc/$($one.Id)/stat") -replace '^.*\) ', '').Split(' ')
            $table[$one.Id] = @{ number = $one.Id; parent = [int] $words[1]; began = [long] $words[19]; name = $one.ProcessName }
        } catch { $null = $_ }
    }
    $table
}
function Stop-OneProcess([int] $number, [long] $began) {
    try { [Diagnostics.Process]::GetProcessById($number).Kill() } catch { $null = $_ }
    ''
}
