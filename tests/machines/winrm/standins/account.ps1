# sc.exe, secedit.exe, WinRM's list, a key of the registry and local groups, as files in $env:LISTS.
$lists0 = $env:LISTS
function sc.exe {
    $path = Join-Path $lists0 $args[1]
    if ($args[0] -eq 'sdset') { [IO.File]::WriteAllText($path, $args[2]) } else { ''; [IO.File]::ReadAllText($path) }
    $global:LASTEXITCODE = 0
}
function secedit.exe {
    $path = Join-Path $lists0 'policy'
    if ($args[0] -eq '/export') { [IO.File]::Copy($path, $args[4]) } else {
        $lines = @([IO.File]::ReadAllLines($args[4]) | Where-Object { $_ -match '^Se' })
        [IO.File]::WriteAllLines($path, [string[]] $lines)
    }
    $global:LASTEXITCODE = 0
}
function Get-Item($Path) { @{ Value = [IO.File]::ReadAllText((Join-Path $lists0 'root')) } }
function Set-Item($Path, $Value, [switch] $Force) { [IO.File]::WriteAllText((Join-Path $lists0 'root'), $Value) }
function Get-Service { @{ Name = 'Mail' }, @{ Name = 'Web' }, @{ Name = 'Closed' } }
function Get-LocalGroupMember($SID) {
    if (Test-Path (Join-Path $lists0 'member')) { @{ SID = @{ Value = [IO.File]::ReadAllText((Join-Path $lists0 'member')) } } }
}
function Add-LocalGroupMember($SID, $Member) { [IO.File]::WriteAllText((Join-Path $lists0 'member'), $Member) }
function Remove-LocalGroupMember($SID, $Member) { Remove-Item (Join-Path $lists0 'member') }
$key0 = Join-Path $lists0 'key'
function Test-Path($Path) { if ("$Path" -like 'HKLM:*') { [IO.File]::Exists($key0) } else { [IO.File]::Exists("$Path") } }
function New-Item($Path, $ItemType) {
    if ("$Path" -like 'HKLM:*') { [IO.File]::WriteAllText($key0, 'O:BAG:SYD:AI(A;CIID;KR;;;BU)(A;CIID;KA;;;BA)') } else { [IO.Directory]::CreateDirectory($Path) }
}
function Remove-Item([switch] $Recurse, [switch] $Force, $Path) {
    if ("$Path" -like 'HKLM:*') { [IO.File]::Delete($key0) } else { Microsoft.PowerShell.Management\Remove-Item -Recurse:$Recurse -Path $Path }
}
function Get-Acl($Path) {
    $found = [pscustomobject] @{ Path = $Path; Sddl = [IO.File]::ReadAllText($key0) }
    $found | Add-Member -MemberType ScriptMethod -Name SetSecurityDescriptorSddlForm -Value { param($text) $this.Sddl = $text }
    $found
}
function Set-Acl($Path, $AclObject) { [IO.File]::WriteAllText($key0, $AclObject.Sddl) }
