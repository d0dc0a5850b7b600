# The list of turns: a value that survives a reboot.
function Enter-List {
    # One at a time, for as long as this PowerShell takes. Any user may hold such a name: then it is done without.
    try {
        $script:list = New-Object Threading.Mutex $false, 'Global\check_imap4-recovery'
        [void] $list.WaitOne(5000)
    } catch [Threading.AbandonedMutexException], [UnauthorizedAccessException] {
        $null = $_
    }
}

function Get-Run([long] $up, [bool] $make) {
    # The name of this run of the machine, and its uptime when that was given; none where nothing was done in it yet.
    $key = $(if ($make) { Open-Run } else { (Open-Root).OpenSubKey("$turnKey\run") })
    if ($null -eq $key) { return 'none', 0 }
    $said = [string] $key.GetValue('name')
    if (-not $said -and $make) {
        $said = "$([Guid]::NewGuid().ToString('N')) $up"
        $key.SetValue('name', $said)
    }
    $key.Close()
    if ($said) { $said.Split(' ') } else { 'none', 0 }
}

function Get-Turns {
    $key = (Open-Root).OpenSubKey($turnKey)
    if ($null -eq $key) { return }
    $key.GetValue('turns')
    $key.Close()
}

function Set-Turns([string[]] $lines) {
    $key = (Open-Root).CreateSubKey($turnKey)
    $key.SetValue('turns', $lines, [Microsoft.Win32.RegistryValueKind]::MultiString)
    $key.Close()
}
