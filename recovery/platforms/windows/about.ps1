# Who am I here, what may I do, and how is WinRM set up. Changes nothing.
param([string[]] $Arguments, [byte[]] $Bytes)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$identity = [Security.Principal.WindowsIdentity]::GetCurrent()
$principal = New-Object Security.Principal.WindowsPrincipal $identity
$fields = 'Caption', 'Version'
$system = Get-CimInstance -ClassName Win32_OperatingSystem -Property $fields
$listeners = @()
$settings = @{}
# Only administrators may read these.
try {
    foreach ($listener in Get-ChildItem -Path WSMan:\localhost\Listener) {
        $parts = @{}
        foreach ($item in Get-ChildItem -Path $listener.PSPath) { $parts[$item.Name] = [string] $item.Value }
        $listeners += "$($parts['Transport']) $($parts['Address']) port $($parts['Port'])"
    }
    foreach ($item in Get-ChildItem -Path WSMan:\localhost\Service\Auth) {
        $settings[[string] $item.Name] = [string] $item.Value
    }
    $settings['AllowUnencrypted'] = [string] (Get-Item -Path WSMan:\localhost\Service\AllowUnencrypted).Value
} catch {
    $null = $_
}
$epoch = New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)
@{
    account = [string] $identity.Name
    administrator = $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
    machine = [string] $env:COMPUTERNAME
    system = [string] $system.Caption
    version = [string] $system.Version
    powershell = [string] $PSVersionTable.PSVersion
    language = [string] $ExecutionContext.SessionState.LanguageMode
    clock = [double] ([DateTime]::UtcNow - $epoch).TotalSeconds
    listeners = $listeners
    settings = $settings
}
