# A program and its children: without jobs there is the family by parents' numbers alone, from /proc.
function Enter-Job { $none }
function Set-JobEnd($job, [bool] $ends) { $null = $job, $ends }
function Get-Member($job) { $null = $job }
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
function Stop-Members($job, [int] $number, [long] $until) {
    $null = $job, $until
    foreach ($one in @(Get-Family $number (Get-ProcessTable) | ForEach-Object { $_.number }) + $number) {
        try { [Diagnostics.Process]::GetProcessById($one).Kill() } catch { $null = $_ }
    }
}
