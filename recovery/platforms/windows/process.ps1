# Runs a program with exactly the given arguments, and ends it and all that it started at its time-out.
# Arguments: bytes to keep of each stream, folder, `line` where the arguments are one command line as it is (else `words`), number of variables,
# NAME VALUE ..., the program, its arguments. The bytes are its standard input.
param([string[]] $Arguments, [byte[]] $Bytes, $Budget)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# with: clock turn native job
$limit = [long] $Budget.program
$ending = [int] $Budget.ending
$keep = [int] $Arguments[0]
$folder = $Arguments[1]
$variables = [int] $Arguments[3]
$first = 4 + 2 * $variables

function Format-Argument([string] $text) {
    # The rules of CommandLineToArgvW: backslashes count only before a quotation mark.
    if ($text -ne '' -and $text -notmatch '[\s"]') { return $text }
    $escaped = [regex]::Replace($text, '(\\*)"', '$1$1\"')
    $escaped = [regex]::Replace($escaped, '(\\+)\z', '$1$1')
    '"' + $escaped + '"'
}

function New-Reader($stream) {
    @{
        stream = $stream
        buffer = New-Object byte[] 65536
        kept = New-Object System.IO.MemoryStream
        task = $null
        ended = $false
        cut = $false
    }
}

function Step-Reader($reader) {
    # Takes what has come; says whether anything had.
    if ($reader.ended) { return $false }
    if ($null -eq $reader.task) {
        $reader.task = $reader.stream.ReadAsync($reader.buffer, 0, $reader.buffer.Length)
    }
    if (-not $reader.task.IsCompleted) { return $false }
    $count = 0
    if (-not $reader.task.IsFaulted) { $count = $reader.task.Result }
    $reader.task = $null
    $room = $keep - [int] $reader.kept.Length
    if ($count -gt $room) { $reader.cut = $true }
    $reader.kept.Write($reader.buffer, 0, [Math]::Max(0, [Math]::Min($count, $room)))
    $reader.ended = ($count -eq 0)
    $true
}

$info = New-Object System.Diagnostics.ProcessStartInfo
$info.FileName = $Arguments[$first]
$parts = for ($at = $first + 1; $at -lt $Arguments.Count; $at++) { Format-Argument $Arguments[$at] }
if ($Arguments[2] -eq 'line') { $parts = @($Arguments[($first + 1)..($Arguments.Count - 1)]) }
$info.Arguments = @($parts) -join ' '
$info.UseShellExecute = $false
# Not CreateNoWindow: that makes a console of its own, with the machine's OEM code page instead of ours.
$info.RedirectStandardInput = $true
$info.RedirectStandardOutput = $true
$info.RedirectStandardError = $true
if ($folder) { $info.WorkingDirectory = $folder }
for ($at = 0; $at -lt $variables; $at++) {
    $info.EnvironmentVariables[$Arguments[4 + 2 * $at]] = $Arguments[5 + 2 * $at]
}
# Else .NET begins standard input with a byte order mark.
try { [Console]::InputEncoding = New-Object System.Text.UTF8Encoding $false } catch { $null = $_ }
# The code page of the console is what programs write in.
try { [Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false } catch { $null = $_ }

if (-not (Enter-Turn 3000)) { return @{ ended = 'busy' } }
$process = New-Object System.Diagnostics.Process
$process.StartInfo = $info
$watch = [Diagnostics.Stopwatch]::StartNew()
$job = Enter-Job
try {
    [void] $process.Start()
} catch {
    $cause = $_.Exception
    while ($cause.InnerException) { $cause = $cause.InnerException }
    return @{ ended = 'not started'; error = [string] $cause.Message }
}
$number = [int] $process.Id
$readers = @((New-Reader $process.StandardOutput.BaseStream), (New-Reader $process.StandardError.BaseStream))
$entry = $process.StandardInput.BaseStream
$writing = $entry.WriteAsync($Bytes, 0, $Bytes.Length)
$entryOpen = $true
$ended = 'exited'
$grace = -1
while ($true) {
    $news = $false
    foreach ($reader in $readers) { while (Step-Reader $reader) { $news = $true } }
    if ($entryOpen -and $writing.IsCompleted) {
        # A program that does not read its input has closed it already.
        try { $entry.Close() } catch { $null = $_ }
        $entryOpen = $false
    }
    if ($process.HasExited) {
        if ($readers[0].ended -and $readers[1].ended) { break }
        # A child that it left behind may hold the streams open for ever.
        if ($grace -lt 0) { $grace = $watch.ElapsedMilliseconds + 1000 }
        if (-not $news -and $watch.ElapsedMilliseconds -ge $grace -or (Get-Spent) -ge $limit) { break }
    } elseif ((Get-Spent) -ge $limit) {
        $ended = 'timed out'
        $remaining = @(Stop-Members $job $number ($limit + $ending))
        if ($remaining.Count -gt 0 -or -not $process.WaitForExit(100)) { $ended = 'unstoppable' }
        $grace = $watch.ElapsedMilliseconds + 300
        while ($watch.ElapsedMilliseconds -lt $grace -and -not ($readers[0].ended -and $readers[1].ended)) {
            foreach ($reader in $readers) { while (Step-Reader $reader) { $null = $reader } }
            Start-Sleep -Milliseconds 10
        }
        break
    }
    if ($news) { continue }
    # Returns at the first byte: a pause between reads would slow a program down that talks a lot.
    $tasks = [Threading.Tasks.Task[]] @(@($readers | Where-Object { $null -ne $_.task } | ForEach-Object { $_.task }) +
        @($(if ($entryOpen) { $writing })) | Where-Object { $null -ne $_ })
    if ($tasks.Count -gt 0) { [void] [Threading.Tasks.Task]::WaitAny($tasks, 20) } else { Start-Sleep -Milliseconds 20 }
}
$status = $null
if ($process.HasExited) { $status = [int] $process.ExitCode }
$left = @(Get-Member $job).Count
# What it left running on purpose is not ours to end.
if ($ended -eq 'exited' -and $job -ne $none) { Set-JobEnd $job $false }
@{
    ended = $ended
    status = $status
    stdout = [Convert]::ToBase64String($readers[0].kept.ToArray())
    stderr = [Convert]::ToBase64String($readers[1].kept.ToArray())
    truncated = ($readers[0].cut -or $readers[1].cut)
    milliseconds = [long] $watch.ElapsedMilliseconds
    left = $left
}
