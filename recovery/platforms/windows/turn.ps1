# Where it is written down who is at work on this machine: a key that administrators may write, and accounts that
# contrib/windows/recovery-account.ps1 lets. A named mutex alone could be held by any user, to keep repairs away.
$turnKey = 'SOFTWARE\check_imap4'

function Open-Root { [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64') }

function Open-Run {
    # Only memory holds it (REG_OPTION_VOLATILE): it ends with this run of the machine. What it is made in must be there
    # before, or that would be volatile too, and the list with it.
    (Open-Root).CreateSubKey($turnKey).Close()
    $rights = [Microsoft.Win32.RegistryKeyPermissionCheck]::ReadWriteSubTree
    (Open-Root).CreateSubKey("$turnKey\run", $rights, [Microsoft.Win32.RegistryOptions]::Volatile)
}

function Test-AtWork([string] $said) {
    # Whether the process that wrote it is still there: another one may have got its number.
    $number, $began = $said.Split(' ')
    try { [string] [Diagnostics.Process]::GetProcessById([int] $number).StartTime.ToUniversalTime().Ticks -eq $began } catch { $false }
}

function Enter-Turn([int] $milliseconds) {
    # Whether it is ours to act now. It ends with this PowerShell, however that ends: a script whose monitoring host has
    # died goes on to its own end, and the next one must not come between.
    $watch = [Diagnostics.Stopwatch]::StartNew()
    while ($true) {
        try { $key = Open-Run } catch [UnauthorizedAccessException], [Security.SecurityException] { return $true }
        $said = [string] $key.GetValue('work')
        if (-not $said -or -not (Test-AtWork $said)) {
            $key.SetValue('work', "$PID $([Diagnostics.Process]::GetCurrentProcess().StartTime.ToUniversalTime().Ticks)")
            $key.Close()
            return $true
        }
        $key.Close()
        if ($watch.ElapsedMilliseconds -ge $milliseconds) { return $false }
        Start-Sleep -Milliseconds 100
    }
}
