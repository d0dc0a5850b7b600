# A program and all that it starts, as one: a job object that PowerShell itself is in, so that whatever it starts is in
# it from its first moment, a grandchild whose parent has ended too. Jobs within jobs: Windows 8 and Server 2012 on.
function Enter-Job {
    # The job, or none where Windows gives us none.
    $job = $native::CreateJobObjectW($none, $none)
    if ($job -eq $none) { return $none }
    Set-JobEnd $job $true
    # GetCurrentProcess() is -1.
    if ($native::AssignProcessToJobObject($job, [IntPtr] (-1)) -eq 0) { return $none }
    $job
}

function Set-JobEnd($job, [bool] $ends) {
    # Whether everything in the job ends when its last handle does, which is when PowerShell ends, however it does.
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION (9): LimitFlags at 16, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE.
    $limits = New-Object byte[] $(if ([IntPtr]::Size -eq 8) { 144 } else { 112 })
    if ($ends) { $limits[17] = 0x20 }
    [void] $native::SetInformationJobObject($job, 9, $limits, $limits.Length)
}

function Get-Member([IntPtr] $job) {
    # The numbers of the other processes in the job. JOBOBJECT_BASIC_PROCESS_ID_LIST (3): two counts, then numbers.
    if ($job -eq $none) { return }
    $facts = New-Object byte[] 65536
    $need = New-Object uint32[] 1
    if ($native::QueryInformationJobObject($job, 3, $facts, $facts.Length, $need) -eq 0) { return }
    $count = [BitConverter]::ToInt32($facts, 4)
    for ($i = 0; $i -lt $count; $i++) {
        $number = [BitConverter]::ToInt32($facts, 8 + $i * [IntPtr]::Size)
        if ($number -ne $PID) { $number }
    }
}

function Stop-Members([IntPtr] $job, [int] $number, [long] $until) {
    # Ends the program and what it started; returns the numbers of what is left. What is started meanwhile is in the job
    # too, so that it is looked at again.
    do {
        $processes = Get-ProcessTable
        $left = @(@(Get-Member $job) + $number + @(Get-Family $number $processes | ForEach-Object { $_.number }) |
            Select-Object -Unique | Where-Object { $processes.ContainsKey($_) })
        foreach ($one in $left) { [void] (Stop-OneProcess $one $processes[$one].began) }
        # What has just ended takes a moment to leave the list.
        if ($left.Count -gt 0) { Start-Sleep -Milliseconds 20 }
    } while ($left.Count -gt 0 -and (Get-Spent) -lt $until)
    $left
}
