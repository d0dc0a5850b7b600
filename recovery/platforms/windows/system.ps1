# What the registry, the event logs and Windows' own identity say of the machine and of us.
function Open-Local([string] $path) { [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64').OpenSubKey($path) }

function Test-Key([string] $path) {
    try { $null -ne (Open-Local $path) } catch [Security.SecurityException] { $true }
}

function New-Marker([string] $path) {
    # In a key that only memory holds (REG_OPTION_VOLATILE): no reboot leaves it.
    $rights = [Microsoft.Win32.RegistryKeyPermissionCheck]::ReadWriteSubTree
    $volatile = [Microsoft.Win32.RegistryOptions]::Volatile
    # What it is made in must be there before, or that would be volatile too, and the list of turns in it.
    [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64').CreateSubKey($path.Substring(0, $path.LastIndexOf('\'))).Close()
    [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64').CreateSubKey($path, $rights, $volatile).Close()
}

function Remove-Marker([string] $path) {
    [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64').DeleteSubKey($path, $false)
}

function Get-Finishing {
    # What goes on by itself to another reboot; one sentence each.
    if (Test-Key 'SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootInProgress') {
        'updates are being finished, and a second reboot may follow'
    }
    $setup = Open-Local 'SYSTEM\Setup'
    if ($null -ne $setup -and [int] $setup.GetValue('SystemSetupInProgress') -ne 0) { 'Windows is being set up' }
}

function Get-Servicing($processes) {
    # What is at work that a reboot would cut short; one sentence each.
    foreach ($one in $processes.Values) {
        if ($one.name -in 'TiWorker.exe', 'TrustedInstaller.exe') { "Windows is installing or removing updates ($($one.name))" }
    }
    if (Test-Key 'SOFTWARE\Microsoft\Windows\CurrentVersion\Installer\InProgress') { 'an installation is under way (Windows Installer)' }
    Get-Finishing
}

function Get-LoggedOn($processes) {
    # Who has a desktop here.
    if (-not @($processes.Values | Where-Object { $_.name -eq 'explorer.exe' })) { return }
    $key = Open-Local 'SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\LogonUI\SessionData'
    if ($null -eq $key) { return 'somebody' }
    foreach ($one in $key.GetSubKeyNames()) {
        $who = [string] $key.OpenSubKey($one).GetValue('LoggedOnSAMUser')
        if ($who) { $who }
    }
}

function Get-SystemName {
    $key = Open-Local 'SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    @{
        caption = [string] $key.GetValue('ProductName')
        version = "$([Environment]::OSVersion.Version.ToString(3)).$($key.GetValue('UBR'))".TrimEnd('.')
    }
}

function Get-Identity {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object Security.Principal.WindowsPrincipal $identity
    @{
        name = [string] $identity.Name
        administrator = $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
    }
}

function Get-WinRmSettings {
    # Only administrators may read these.
    $found = @{ listeners = @(); settings = @{} }
    try {
        foreach ($listener in Get-ChildItem -Path WSMan:\localhost\Listener) {
            $parts = @{}
            foreach ($item in Get-ChildItem -Path $listener.PSPath) { $parts[$item.Name] = [string] $item.Value }
            $found.listeners += "$($parts['Transport']) $($parts['Address']) port $($parts['Port'])"
        }
        foreach ($item in Get-ChildItem -Path WSMan:\localhost\Service\Auth) {
            $found.settings[[string] $item.Name] = [string] $item.Value
        }
        $found.settings['AllowUnencrypted'] = [string] (Get-Item -Path WSMan:\localhost\Service\AllowUnencrypted).Value
    } catch {
        $null = $_
    }
    $found
}

function Get-LogEvents([DateTime] $since) {
    foreach ($log in 'System', 'Application') {
        # Without a single event, Get-WinEvent fails.
        try { Get-WinEvent -FilterHashtable @{ LogName = $log; StartTime = $since } -MaxEvents 200 } catch { $null = $_ }
    }
}

function Invoke-Shutdown([string[]] $words) {
    $program = Join-Path $env:SystemRoot 'System32\shutdown.exe'
    # What a program writes to standard error must not end this script: its exit code counts.
    $ErrorActionPreference = 'Continue'
    $said = & $program $words 2>&1 | Out-String
    @{ code = [int] $LASTEXITCODE; said = [string] $said }
}
