# Who am I here, what may I do, and how is WinRM set up. Changes nothing.
param([string[]] $Arguments, [byte[]] $Bytes, $Budget)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# with: system
$identity = Get-Identity
$system = Get-SystemName
$winrm = Get-WinRmSettings
$epoch = New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)
@{
    account = $identity.name
    administrator = $identity.administrator
    machine = [string] [Environment]::MachineName
    system = $system.caption
    version = $system.version
    powershell = [string] $PSVersionTable.PSVersion
    language = [string] $ExecutionContext.SessionState.LanguageMode
    clock = [double] ([DateTime]::UtcNow - $epoch).TotalSeconds
    listeners = @($winrm.listeners)
    settings = $winrm.settings
}
