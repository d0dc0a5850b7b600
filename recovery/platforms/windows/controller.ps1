# The service controller and what the registry says of services. States, as everywhere in winsvc.h: 1 stopped,
# 2 start pending, 3 stop pending, 4 running, 5 continue pending, 6 pause pending, 7 paused.
# Rights on a service, with their letters in SDDL: query status 4 (LC), enumerate dependents 8 (SW), start 0x10
# (RP), stop 0x20 (WP), pause and continue 0x40 (DT).
$serviceKeys = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64').OpenSubKey('SYSTEM\CurrentControlSet\Services')
$manager = $none

function Open-Manager {
    # Connect 1 (CC), enumerate 4 (LC).
    if ($script:manager -ne $none) { return }
    $script:manager = $native::OpenSCManagerW($none, $none, 5)
    $code = Get-LastError
    if ($script:manager -eq $none) {
        throw "the service controller does not let this account in: $(Format-Problem $code); it needs " +
        'the rights to connect and to enumerate on it (CCLC in sc.exe sdshow scmanager; docs/windows.md)'
    }
}

function Open-Service([string] $name, [int] $rights) {
    # The handle, or the error's number as a negative one.
    Open-Manager
    $found = $native::OpenServiceW($manager, $name, $rights)
    $code = Get-LastError
    if ($found -eq $none) { return [IntPtr] (-$code) }
    $found
}

function Test-Right([string] $name, [int] $rights) {
    # 0, or the number of the error that an account gets who asks for these rights.
    $found = Open-Service $name $rights
    if ($found.ToInt64() -lt 0) { return [int] (-$found.ToInt64()) }
    [void] $native::CloseServiceHandle($found)
    0
}

function ConvertTo-Status([int[]] $words) {
    @{
        state = $words[1]
        accepted = $words[2]
        code = [long] $words[3] -band 4294967295
        own = [long] $words[4] -band 4294967295
        check = $words[5]
        hint = [long] $words[6] -band 4294967295
        number = $words[7]
        # SERVICE_WIN32_OWN_PROCESS
        alone = ($words[0] -band 0x10) -ne 0
    }
}

function Get-ServiceTable {
    # Every service that this account may query: name -> its status, with its name and display name.
    Open-Manager
    $size = 262144
    $wide = [IntPtr]::Size
    $entry = $(if ($wide -eq 8) { 56 } else { 44 })
    $table = @{}
    while ($true) {
        $memory = [Runtime.InteropServices.Marshal]::AllocHGlobal($size)
        try {
            $need = New-Object uint32[] 1
            $count = New-Object uint32[] 1
            $resume = New-Object uint32[] 1
            # SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_STATE_ALL
            $done = $native::EnumServicesStatusExW($manager, 0, 0x30, 3, $memory, $size, $need, $count, $resume, $none)
            $code = Get-LastError
            if ($done -eq 0 -and $code -eq 234 -and $size -lt 67108864) { $size *= 4; continue }
            if ($done -eq 0) { throw "the services cannot be listed: $(Format-Problem $code)" }
            $words = New-Object int[] 9
            for ($i = 0; $i -lt $count[0]; $i++) {
                $at = [IntPtr]::Add($memory, $i * $entry)
                [Runtime.InteropServices.Marshal]::Copy([IntPtr]::Add($at, 2 * $wide), $words, 0, 9)
                $one = ConvertTo-Status $words
                $one.name = [Runtime.InteropServices.Marshal]::PtrToStringUni([Runtime.InteropServices.Marshal]::ReadIntPtr($at, 0))
                $one.display = [Runtime.InteropServices.Marshal]::PtrToStringUni([Runtime.InteropServices.Marshal]::ReadIntPtr($at, $wide))
                $table[$one.name] = $one
            }
            return $table
        } finally {
            [Runtime.InteropServices.Marshal]::FreeHGlobal($memory)
        }
    }
}

function Get-Status([string] $name) {
    # Its status; with only `gone`, an error's number, where it cannot be had.
    $found = Open-Service $name 4
    if ($found.ToInt64() -lt 0) { return @{ gone = [int] (-$found.ToInt64()); state = 0 } }
    $bytes = New-Object byte[] 36
    $need = New-Object uint32[] 1
    $done = $native::QueryServiceStatusEx($found, 0, $bytes, 36, $need)
    $code = Get-LastError
    [void] $native::CloseServiceHandle($found)
    if ($done -eq 0) { return @{ gone = $code; state = 0 } }
    $words = New-Object int[] 9
    [Buffer]::BlockCopy($bytes, 0, $words, 0, 36)
    $status = ConvertTo-Status $words
    $status.gone = 0
    $status
}

function Get-Config([string] $name) {
    # What the registry says of a service, which every account may read; $null where there is none.
    # A driver has a key too, and so has a service that is deleted as soon as nobody holds it open.
    $key = $serviceKeys.OpenSubKey($name)
    if ($null -eq $key) { return $null }
    $failure = $key.GetValue('FailureActions')
    $actions = @()
    # SERVICE_FAILURE_ACTIONS as it is stored: five numbers, of which the fourth counts pairs of type and delay.
    if ($failure -is [byte[]] -and $failure.Length -ge 20) {
        $count = [BitConverter]::ToInt32($failure, 12)
        for ($i = 0; $i -lt $count -and 24 + 8 * $i -le $failure.Length; $i++) {
            $actions += [BitConverter]::ToInt32($failure, 20 + 8 * $i)
        }
    }
    $config = @{
        start = $key.GetValue('Start')
        delayed = [int] $key.GetValue('DelayedAutostart') -ne 0
        triggered = $null -ne $key.OpenSubKey('TriggerInfo')
        type = [int] $key.GetValue('Type')
        image = [string] $key.GetValue('ImagePath')
        deleted = [int] $key.GetValue('DeleteFlag') -ne 0
        needs = @(@($key.GetValue('DependOnService')) | Where-Object { $_ })
        actions = $actions
    }
    $key.Close()
    $config
}

function Get-DependentTable {
    # Name -> the services that say in the registry that they depend on it. One look at all of them.
    $table = @{}
    foreach ($name in $serviceKeys.GetSubKeyNames()) {
        try { $key = $serviceKeys.OpenSubKey($name) } catch { continue }
        if ($null -eq $key) { continue }
        # 0x30: services, not drivers.
        if (([int] $key.GetValue('Type') -band 0x30) -ne 0) {
            foreach ($need in @($key.GetValue('DependOnService'))) {
                if ($need) { $table[[string] $need] = @($table[[string] $need]) + $name }
            }
        }
        $key.Close()
    }
    $table
}

function Get-ControllerDependents([string] $name) {
    # What the service controller itself says depends on a service, through others too; an error's number
    # where this account lacks the right to enumerate (SW).
    $found = Open-Service $name 8
    if ($found.ToInt64() -lt 0) { return [int] (-$found.ToInt64()) }
    $size = 65536
    $entry = $(if ([IntPtr]::Size -eq 8) { 48 } else { 36 })
    $memory = [Runtime.InteropServices.Marshal]::AllocHGlobal($size)
    $need = New-Object uint32[] 1
    $count = New-Object uint32[] 1
    $done = $native::EnumDependentServicesW($found, 3, $memory, $size, $need, $count)
    $code = Get-LastError
    [void] $native::CloseServiceHandle($found)
    $names = for ($i = 0; $done -ne 0 -and $i -lt $count[0]; $i++) {
        [Runtime.InteropServices.Marshal]::PtrToStringUni([Runtime.InteropServices.Marshal]::ReadIntPtr($memory, $i * $entry))
    }
    [Runtime.InteropServices.Marshal]::FreeHGlobal($memory)
    if ($done -eq 0) { return [int] $code }
    , @($names)
}

function Get-ClusterGroup([string] $name) {
    # The group of a failover cluster that owns a service; '' where none does, or where this may not be read.
    try {
        $cluster = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64').OpenSubKey('Cluster')
        if ($null -eq $cluster) { return '' }
        foreach ($resource in $cluster.OpenSubKey('Resources').GetSubKeyNames()) {
            $parameters = $cluster.OpenSubKey("Resources\$resource\Parameters")
            if ($null -eq $parameters -or [string] $parameters.GetValue('ServiceName') -ne $name) { continue }
            foreach ($group in $cluster.OpenSubKey('Groups').GetSubKeyNames()) {
                $key = $cluster.OpenSubKey("Groups\$group")
                if (@($key.GetValue('Contains')) -contains $resource) { return [string] $key.GetValue('Name') }
            }
            return $resource
        }
    } catch {
        $null = $_
    }
    ''
}

function Start-Call([string] $what, [string] $name) {
    # Asks the controller off this thread: a service that hangs in its handler holds ControlService for 30 s.
    # Controls: stop 1, continue 3.
    $shell = [PowerShell]::Create()
    [void] $shell.AddScript({
            param($native, $name, $what)
            $none = [IntPtr]::Zero
            $rights = @{ stop = 0x20; continue = 0x40; start = 0x10 }[$what]
            $manager = $native::OpenSCManagerW($none, $none, 1)
            $code = [Runtime.InteropServices.Marshal]::GetLastWin32Error()
            if ($manager -eq $none) { return $code }
            $service = $native::OpenServiceW($manager, $name, $rights)
            $code = [Runtime.InteropServices.Marshal]::GetLastWin32Error()
            if ($service -eq $none) { return $code }
            if ($what -eq 'start') {
                $done = $native::StartServiceW($service, 0, $none)
            } else {
                $done = $native::ControlService($service, @{ stop = 1; continue = 3 }[$what], (New-Object byte[] 28))
            }
            $code = [Runtime.InteropServices.Marshal]::GetLastWin32Error()
            [void] $native::CloseServiceHandle($service)
            [void] $native::CloseServiceHandle($manager)
            if ($done -ne 0) { 0 } else { $code }
        }).AddArgument($native).AddArgument($name).AddArgument($what)
    @{ shell = $shell; pending = $shell.BeginInvoke() }
}

function Complete-Call($call) {
    # The error's number, 0 for none; $null while the controller has not answered.
    if (-not $call.pending.IsCompleted) { return $null }
    [int] @($call.shell.EndInvoke($call.pending))[-1]
}
