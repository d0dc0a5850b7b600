# Does one task after the other as bootstrap.ps1 does one, each in a runspace of its own: a test need not wait for the
# start of a PowerShell. What the bootstrap itself does, other tests see.
$ErrorActionPreference = 'Stop'
$utf8 = New-Object System.Text.UTF8Encoding $false
# Streams of our own: a script may set the console's encodings.
$entry = New-Object IO.StreamReader ([Console]::OpenStandardInput()), $utf8
$exit = New-Object IO.StreamWriter ([Console]::OpenStandardOutput()), $utf8
function Read-Text([string] $text) { $utf8.GetString([Convert]::FromBase64String($text)) }
while ($null -ne ($nonce = $entry.ReadLine())) {
    $task = Read-Text $entry.ReadLine() | ConvertFrom-Json
    $bytes = [Convert]::FromBase64String($entry.ReadLine())
    $arguments = [string[]] @($task.arguments | ForEach-Object { Read-Text $_ })
    foreach ($pair in @($task.environment | Where-Object { $null -ne $_ })) {
        [Environment]::SetEnvironmentVariable((Read-Text $pair[0]), (Read-Text $pair[1]))
    }
    $budget = @{ watch = [Diagnostics.Stopwatch]::StartNew(); late = 0; script = $task.script_ms; program = $task.program_ms; ending = $task.ending_ms }
    $shell = [PowerShell]::Create()
    [void] $shell.AddScript((Read-Text $task.script)).AddArgument($arguments).AddArgument($bytes).AddArgument($budget)
    try {
        $pending = $shell.BeginInvoke()
        if ($pending.AsyncWaitHandle.WaitOne([int] $task.milliseconds)) {
            $answer = @{ ended = 'done'; value = @($shell.EndInvoke($pending))[-1] }
            $shell.Runspace.Dispose()
            $shell.Dispose()
        } else {
            $answer = @{ ended = 'timed out' }
        }
    } catch {
        $cause = $_.Exception
        while ($cause.InnerException) { $cause = $cause.InnerException }
        $answer = @{ ended = 'failed'; error = [string] $cause.Message }
    }
    $json = ConvertTo-Json -InputObject $answer -Depth 8 -Compress
    $exit.WriteLine($nonce + ' ' + [Convert]::ToBase64String($utf8.GetBytes($json)))
    $exit.Flush()
}
