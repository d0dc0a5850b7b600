<#
.SYNOPSIS
Gives an account the rights that imap4-recovery needs on this machine, and takes them away again.
.DESCRIPTION
Run it in a PowerShell of an administrator, as often as you like: what is there already is left as it is.
  .\recovery-account.ps1 -Account imap4-recovery -Service IMAP4Svc, WebMail -WhatIf    says what it would do
  .\recovery-account.ps1 -Account imap4-recovery -Service IMAP4Svc, WebMail            makes a local account, if need be
  .\recovery-account.ps1 -Account EXAMPLE\imap4-recovery -Service IMAP4Svc -Reboot     one of a domain, which may reboot
  .\recovery-account.ps1 -Account imap4-recovery -Remove                               takes everything away
Name the dependents of the services too: the dry run of imap4-recovery names them. The account gets: membership in Remote
Management Users; read and execute on WinRM's own list; connecting to and enumerating the service controller; on each
service its status, dependents, start, stop, pause and continue; a key in the registry, where repairs of several monitoring
hosts leave word of each other; with -Reboot two privileges.
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory)] [string] $Account,
    [string[]] $Service = @(),
    [switch] $Reboot,
    [switch] $Remove
)
$ErrorActionPreference = 'Stop'
$group = 'S-1-5-32-580'
$root = 'WSMan:\localhost\Service\RootSDDL'
$key = 'HKLM:\SOFTWARE\check_imap4'
# The letters of SDDL, where they stand for rights of the service controller and of services (sc.exe sdshow).
$rights = @{ root = 'GXGR'; manager = 'CCLCRPRC'; service = 'CCLCSWRPWPDTLORC' }
$changed = 0

function Edit-Sddl([string] $sddl, [string] $sid, [string] $letters) {
    # Without the account's entries, then with one where letters are given. Entries that allow come last in a list.
    $bare = $sddl -replace "\(A;[^()]*;;;$([regex]::Escape($sid))\)", ''
    if (-not $letters) { return $bare }
    if ($bare -notmatch '^(?<head>.*?D:[A-Z]*(?:\([^()]*\))*)(?<tail>.*)$') { throw "this list of rights is not understood: $sddl" }
    "$($Matches['head'])(A;;$letters;;;$sid)$($Matches['tail'])"
}

function Get-ServiceSddl([string] $name) {
    $said = (& sc.exe sdshow $name) -join ''
    if ($said -notmatch 'D:') { throw "the rights of $name cannot be read: $said" }
    $said.Trim()
}

function Set-ServiceSddl([string] $name, [string] $old, [string] $new) {
    if ($old -eq $new -or -not $PSCmdlet.ShouldProcess($name, "change the list of rights from $old to $new")) { return }
    $said = (& sc.exe sdset $name $new) -join ' '
    if ($LASTEXITCODE -ne 0) { throw "the rights of $name were not changed: $said" }
    $script:changed++
}

function Get-Sid([string] $name) {
    if ($name -match '^S-1-[\d-]+$') { return $name }
    try {
        (New-Object Security.Principal.NTAccount $name).Translate([Security.Principal.SecurityIdentifier]).Value
    } catch {
        ''
    }
}

function Edit-Privilege([string] $sid, [bool] $wanted) {
    # secedit writes and reads the local policy as a text; it has no other way for one right alone.
    $folder = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
    [void] (New-Item -ItemType Directory -Path $folder -WhatIf:$false)
    try {
        $file = Join-Path $folder 'rights.inf'
        & secedit.exe /export /areas USER_RIGHTS /cfg $file | Out-Null
        $lines = @([IO.File]::ReadAllLines($file))
        $new = @(foreach ($name in 'SeShutdownPrivilege', 'SeRemoteShutdownPrivilege') {
                $line = @($lines | Where-Object { $_ -match "^$name\s*=" })[0]
                $holders = @(("$line" -replace '^[^=]*=', '').Split(',') | ForEach-Object { $_.Trim() } | Where-Object { $_ -and $_ -ne "*$sid" })
                if ($wanted) { $holders += "*$sid" }
                "$name = $($holders -join ',')"
            })
        $now = @($lines | Where-Object { $_ -match '^Se(Remote)?ShutdownPrivilege\s*=' } | ForEach-Object { $_ -replace '\s', '' })
        $there = @($now | Where-Object { $_ -match [regex]::Escape("*$sid") })
        if (($wanted -and $there.Count -eq 2) -or (-not $wanted -and $there.Count -eq 0)) { return }
        if (-not $PSCmdlet.ShouldProcess('local security policy', "set $($new -join '; ')")) { return }
        $text = @('[Unicode]', 'Unicode=yes', '[Version]', 'signature="$CHICAGO$"', 'Revision=1', '[Privilege Rights]') + $new
        [IO.File]::WriteAllLines($file, [string[]] $text, [Text.Encoding]::Unicode)
        & secedit.exe /configure /db (Join-Path $folder 'rights.sdb') /cfg $file /areas USER_RIGHTS | Out-Null
        if ($LASTEXITCODE -ne 0) { throw "the privileges were not changed (secedit ended with $LASTEXITCODE)" }
        $script:changed++
    } finally {
        Remove-Item -Recurse -Force -Path $folder -WhatIf:$false
    }
}

function Edit-Key([string] $sid, [bool] $wanted) {
    # Explicit entries come before inherited ones.
    if (-not (Test-Path -Path $key)) {
        if (-not $wanted -or -not $PSCmdlet.ShouldProcess($key, 'make the key for the list of repairs and the marker of reboots')) { return }
        [void] (New-Item -Path $key)
        $script:changed++
    }
    $access = Get-Acl -Path $key
    $old = [string] $access.Sddl
    $new = Edit-Sddl $old $sid ''
    if ($wanted) { $new = $new -replace '^(.*?D:[A-Z]*)', "`$1(A;CI;KA;;;$sid)" }
    if ($new -eq $old) { return }
    if (-not $wanted -and $new -notmatch '\(A;CI;KA;;;S-1-') {
        if ($PSCmdlet.ShouldProcess($key, 'remove the key, which nobody else uses')) { Remove-Item -Recurse -Force -Path $key; $script:changed++ }
        return
    }
    if (-not $PSCmdlet.ShouldProcess($key, "change the list of rights from $old to $new")) { return }
    $access.SetSecurityDescriptorSddlForm($new)
    Set-Acl -Path $key -AclObject $access
    $script:changed++
}

# Given as a SID, it is somebody else's to make and to remove.
$local = $Account -notmatch '[\\@]|^S-1-'
$sid = Get-Sid $Account
if (-not $sid -and $Remove) { throw "there is no account $Account" }
if (-not $sid) {
    if (-not $local) { throw "there is no account $Account" }
    if ($PSCmdlet.ShouldProcess($Account, 'make a local account')) {
        $password = Read-Host -Prompt "Password for $Account" -AsSecureString
        $made = New-LocalUser -Name $Account -Password $password -PasswordNeverExpires -UserMayNotChangePassword
        $sid = $made.SID.Value
        $changed++
    } else {
        # Enough to say what would be done.
        $sid = 'S-1-0-0'
    }
}
$wanted = -not $Remove

$member = @(Get-LocalGroupMember -SID $group -ErrorAction SilentlyContinue | Where-Object { $_.SID.Value -eq $sid }).Count -gt 0
if ($wanted -and -not $member -and $PSCmdlet.ShouldProcess($group, "add $Account to Remote Management Users")) {
    Add-LocalGroupMember -SID $group -Member $sid
    $changed++
} elseif ($Remove -and $member -and $PSCmdlet.ShouldProcess($group, "remove $Account from Remote Management Users")) {
    Remove-LocalGroupMember -SID $group -Member $sid
    $changed++
}

$letters = $(if ($wanted) { $rights } else { @{} })
$old = (Get-Item -Path $root).Value
$new = Edit-Sddl $old $sid $letters.root
$restart = $false
if ($new -ne $old -and $PSCmdlet.ShouldProcess('WinRM', "change its list of rights from $old to $new")) {
    Set-Item -Path $root -Value $new -Force
    $changed++
    $restart = $true
}

$old = Get-ServiceSddl 'scmanager'
Set-ServiceSddl 'scmanager' $old (Edit-Sddl $old $sid $letters.manager)
# What is taken away is taken away from every service, whatever was named when it was given.
$names = $(if ($wanted) { $Service } else { @(Get-Service | ForEach-Object { $_.Name }) })
foreach ($name in $names) {
    try {
        $old = Get-ServiceSddl $name
    } catch {
        # Some services of Windows show their list to nobody; the account was given nothing there.
        if ($Remove) { continue }
        throw
    }
    Set-ServiceSddl $name $old (Edit-Sddl $old $sid $letters.service)
}
Edit-Key $sid $wanted
if ($Reboot -or $Remove) { Edit-Privilege $sid $wanted }
if ($Remove -and $local -and $PSCmdlet.ShouldProcess($Account, 'remove the local account')) {
    Remove-LocalUser -Name $Account
    $changed++
}
# A new list counts for new connections; the service need not be restarted, but a member's rights need a new login.
if ($restart) { Write-Verbose 'WinRM reads its list at each connection.' }
"$changed changes"
