# A program and all that it starts, as one: a job object, which also holds a grandchild whose parent has ended.
function New-Job {
    $job = $native::CreateJobObjectW($none, $none)
    if ($job -ne $none) { Set-JobEnd $job $true }
    $job
}

function Set-JobEnd($job, [bool] $ends) {
    # Whether everything in the job ends when its last handle does, which is when PowerShell ends, however it does.
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION (9): LimitFlags at 16, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE.
    $limits = New-Object byte[] $(if ([IntPtr]::Size -eq 8) { 144 } else { 112 })
    if ($ends) { $limits[17] = 0x20 }
    [void] $native::SetInformationJobObject($job, 9, $limits, $limits.Length)
}

function Add-ToJob($job, $process) {
    if ($job -eq $none) { return $false }
    try { $native::AssignProcessToJobObject($job, $process.Handle) -ne 0 } catch { $false }
}

function Get-JobCount($job) {
    # How many processes of the job are alive. JOBOBJECT_BASIC_ACCOUNTING_INFORMATION (1): ActiveProcesses at 40.
    $facts = New-Object byte[] 48
    $need = New-Object uint32[] 1
    if ($native::QueryInformationJobObject($job, 1, $facts, 48, $need) -eq 0) { return 0 }
    [BitConverter]::ToInt32($facts, 40)
}

function Stop-Members($job) { [void] $native::TerminateJobObject($job, 1) }
