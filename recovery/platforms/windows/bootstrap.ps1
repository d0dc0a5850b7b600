# Sent as -EncodedCommand; everything else comes on standard input, in lines of ASCII:
# a nonce; the task, JSON in base64; what the script itself may read as bytes, in base64.
# Answers one line: the nonce, a blank, JSON in base64.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$lines = @($input)
$nonce = $lines[0]
$mode = $ExecutionContext.SessionState.LanguageMode
if ($mode -ne 'FullLanguage') {
    "$nonce $mode"
    exit 0
}
$watch = [Diagnostics.Stopwatch]::StartNew()
# What starting PowerShell took is gone from the budget: seconds, where something looks into every process.
$late = [long] ([DateTime]::Now - [Diagnostics.Process]::GetCurrentProcess().StartTime).TotalMilliseconds
$late = [Math]::Max(0, [Math]::Min(60000, $late))
$utf8 = New-Object System.Text.UTF8Encoding $false
function Read-Text([string] $text) { $utf8.GetString([Convert]::FromBase64String($text)) }
function Send-Answer($answer) {
    $json = ConvertTo-Json -InputObject $answer -Depth 8 -Compress
    [Console]::Out.WriteLine($nonce + ' ' + [Convert]::ToBase64String($utf8.GetBytes($json)))
    [Console]::Out.Flush()
}
try {
    $task = Read-Text $lines[1] | ConvertFrom-Json
    $arguments = [string[]] @($task.arguments | ForEach-Object { Read-Text $_ })
    $bytes = [Convert]::FromBase64String([string] $lines[2])
    foreach ($pair in @($task.environment | Where-Object { $null -ne $_ })) {
        [Environment]::SetEnvironmentVariable((Read-Text $pair[0]), (Read-Text $pair[1]))
    }
    $budget = @{ watch = $watch; late = $late; script = $task.script_ms; program = $task.program_ms; ending = $task.ending_ms }
    # In a runspace of its own, so that a script that hangs cannot outlast its limit.
    $shell = [PowerShell]::Create()
    [void] $shell.AddScript((Read-Text $task.script)).AddArgument($arguments).AddArgument($bytes).AddArgument($budget)
    $pending = $shell.BeginInvoke()
    if (-not $pending.AsyncWaitHandle.WaitOne([int] [Math]::Max(0, $task.milliseconds - $late - $watch.ElapsedMilliseconds))) {
        Send-Answer @{ ended = 'timed out' }
        [Environment]::Exit(0)
    }
    $value = @($shell.EndInvoke($pending))
    Send-Answer @{ ended = 'done'; value = $value[-1] }
} catch {
    $cause = $_.Exception
    while ($cause.InnerException) { $cause = $cause.InnerException }
    Send-Answer @{ ended = 'failed'; error = [string] $cause.Message }
}
[Environment]::Exit(0)
