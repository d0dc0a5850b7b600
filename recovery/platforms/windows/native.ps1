# Windows' own functions, called without a compiler: Add-Type starts csc.exe and loads a file from %TEMP%, which
# takes a second in 5.1 and which AppLocker may forbid. No WMI: an account without administrator's rights has
# none over WinRM. Signatures: the SDK's winsvc.h, processthreadsapi.h, jobapi2.h, winternl.h.
function New-Native {
    $name = New-Object Reflection.AssemblyName 'Imap4RecoveryNative'
    $assembly = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly($name, 'Run')
    $builder = $assembly.DefineDynamicModule('Native').DefineType('Imap4RecoveryNative', 'Public, Class')
    $attribute = [Runtime.InteropServices.DllImportAttribute]
    $constructor = $attribute.GetConstructor(@([string]))
    $fields = [Reflection.FieldInfo[]] @($attribute.GetField('SetLastError'), $attribute.GetField('CharSet'))
    $values = [object[]] @($true, [Runtime.InteropServices.CharSet]::Unicode)
    $handle = [IntPtr]
    $number = [uint32]
    $numbers = [uint32[]]
    $text = [string]
    $bytes = [byte[]]
    foreach ($one in @(
            @('advapi32.dll', 'OpenSCManagerW', $handle, @($handle, $handle, $number)),
            @('advapi32.dll', 'OpenServiceW', $handle, @($handle, $text, $number)),
            @('advapi32.dll', 'CloseServiceHandle', [int], @($handle)),
            @('advapi32.dll', 'EnumServicesStatusExW', [int],
                @($handle, $number, $number, $number, $handle, $number, $numbers, $numbers, $numbers, $handle)),
            @('advapi32.dll', 'EnumDependentServicesW', [int],
                @($handle, $number, $handle, $number, $numbers, $numbers)),
            @('advapi32.dll', 'QueryServiceStatusEx', [int], @($handle, $number, $bytes, $number, $numbers)),
            @('advapi32.dll', 'ControlService', [int], @($handle, $number, $bytes)),
            @('advapi32.dll', 'StartServiceW', [int], @($handle, $number, $handle)),
            @('ntdll.dll', 'NtQuerySystemInformation', [int], @([int], $handle, [int], $numbers)),
            @('kernel32.dll', 'GetTickCount64', [uint64], @()),
            @('kernel32.dll', 'CreateProcessW', [int],
                @($handle, $bytes, $handle, $handle, [int], $number, $handle, $handle, $bytes, $bytes)),
            @('kernel32.dll', 'CloseHandle', [int], @($handle)),
            @('kernel32.dll', 'IsProcessInJob', [int], @($handle, $handle, [int[]])),
            @('kernel32.dll', 'CreateJobObjectW', $handle, @($handle, $handle)),
            @('kernel32.dll', 'AssignProcessToJobObject', [int], @($handle, $handle)),
            @('kernel32.dll', 'SetInformationJobObject', [int], @($handle, [int], $bytes, $number)),
            @('kernel32.dll', 'QueryInformationJobObject', [int],
                @($handle, [int], $bytes, $number, $numbers)))) {
        $method = $builder.DefineMethod($one[1], 'Public, Static, PinvokeImpl', $one[2], [type[]] $one[3])
        $method.SetCustomAttribute((New-Object Reflection.Emit.CustomAttributeBuilder $constructor,
                ([object[]] @($one[0])), $fields, $values))
    }
    $builder.CreateType()
}

$native = New-Native
$none = [IntPtr]::Zero

function Get-LastError { [Runtime.InteropServices.Marshal]::GetLastWin32Error() }

function Format-Problem([int] $code) {
    # The number says the same in every language.
    "$((New-Object ComponentModel.Win32Exception $code).Message) (error $code)"
}

function Get-ProcessTable {
    # Number -> parent, when it began (100 ns since 1601) and name. Needs no right on the processes.
    # SYSTEM_PROCESS_INFORMATION: as it has been since Windows 2000, on 32 and on 64 bits.
    $wide = [IntPtr]::Size -eq 8
    $size = 1048576
    $table = @{}
    while ($true) {
        $memory = [Runtime.InteropServices.Marshal]::AllocHGlobal($size)
        try {
            $need = New-Object uint32[] 1
            $status = $native::NtQuerySystemInformation(5, $memory, $size, $need)
            # STATUS_INFO_LENGTH_MISMATCH: more processes than there was room for.
            if ($status -eq 0xC0000004 -and $size -lt 67108864) { $size *= 4; continue }
            if ($status -ne 0) { throw ('the processes cannot be listed (status 0x{0:x8})' -f $status) }
            $at = 0
            while ($true) {
                $next = [Runtime.InteropServices.Marshal]::ReadInt32($memory, $at)
                $length = [Runtime.InteropServices.Marshal]::ReadInt16($memory, $at + 0x38)
                $text = [Runtime.InteropServices.Marshal]::ReadIntPtr($memory, $at + $(if ($wide) { 0x40 } else { 0x3C }))
                $number = [Runtime.InteropServices.Marshal]::ReadInt32($memory, $at + $(if ($wide) { 0x50 } else { 0x44 }))
                $name = ''
                if ($length -gt 0) { $name = [Runtime.InteropServices.Marshal]::PtrToStringUni($text, $length / 2) }
                $table[$number] = @{
                    number = $number
                    parent = [Runtime.InteropServices.Marshal]::ReadInt32($memory, $at + $(if ($wide) { 0x58 } else { 0x48 }))
                    began = [Runtime.InteropServices.Marshal]::ReadInt64($memory, $at + 0x20)
                    name = $name
                }
                if ($next -eq 0) { return $table }
                $at += $next
            }
        } finally {
            [Runtime.InteropServices.Marshal]::FreeHGlobal($memory)
        }
    }
}

function Get-Family([int] $number, $processes) {
    # What a process has started, and what that has: an older process with that number is no child of it.
    $found = @()
    if ($number -eq 0 -or -not $processes.ContainsKey($number)) { return }
    $waiting = New-Object System.Collections.Queue
    $waiting.Enqueue($processes[$number])
    while ($waiting.Count -gt 0) {
        $parent = $waiting.Dequeue()
        foreach ($one in $processes.Values) {
            if ($one.parent -eq $parent.number -and $one.number -ne $parent.number -and $one.began -ge $parent.began) {
                $found += $one
                $waiting.Enqueue($one)
            }
        }
    }
    $found
}

function Stop-OneProcess([int] $number, [long] $began) {
    # '' or why not. Another process may have got the number meanwhile: it is left alone.
    $now = (Get-ProcessTable)[$number]
    if ($null -eq $now -or $now.began -ne $began) { return '' }
    try {
        $process = [Diagnostics.Process]::GetProcessById($number)
        $process.Kill()
        if (-not $process.WaitForExit(5000)) { return 'it did not end' }
        ''
    } catch {
        $cause = $_.Exception
        while ($cause.InnerException) { $cause = $cause.InnerException }
        # It ended by itself.
        if ($cause -is [ArgumentException] -or $cause -is [InvalidOperationException]) { return '' }
        if ($cause -is [ComponentModel.Win32Exception]) { return Format-Problem $cause.NativeErrorCode }
        [string] $cause.Message
    }
}

function Get-UptimeSeconds { [double] $native::GetTickCount64() / 1000 }

function Start-Detached([string] $line) {
    # Starts what must outlive this shell; returns how well it will, and its number.
    # WinRM keeps a shell in a job that ends with it: out of the job where the job lets us go, else through WMI,
    # else inside it, which survives this PowerShell alone.
    $start = New-Object byte[] $(if ([IntPtr]::Size -eq 8) { 104 } else { 68 })
    [BitConverter]::GetBytes($start.Length).CopyTo($start, 0)
    $made = New-Object byte[] 24
    # CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW; no handle is inherited.
    foreach ($flags in 0x9000200, 0x8000200) {
        $text = [Text.Encoding]::Unicode.GetBytes("$line`0")
        $done = $native::CreateProcessW($none, $text, $none, $none, 0, $flags, $none, $none, $start, $made)
        if ($done -eq 0) { continue }
        $number = [BitConverter]::ToInt32($made, 2 * [IntPtr]::Size)
        $process = [IntPtr] [BitConverter]::ToInt64($made, 0)
        $thread = [IntPtr] [BitConverter]::ToInt64($made, 8)
        if ([IntPtr]::Size -eq 4) {
            $process = [IntPtr] [BitConverter]::ToInt32($made, 0)
            $thread = [IntPtr] [BitConverter]::ToInt32($made, 4)
        }
        $inside = New-Object int[] 1
        $known = $native::IsProcessInJob($process, $none, $inside)
        [void] $native::CloseHandle($thread)
        [void] $native::CloseHandle($process)
        if ($known -ne 0 -and $inside[0] -eq 0) { return @{ number = $number; kind = 'detached' } }
        try {
            $wmi = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{ CommandLine = $line }
            if ($wmi.ReturnValue -eq 0) {
                try { [Diagnostics.Process]::GetProcessById($number).Kill() } catch { $null = $_ }
                return @{ number = [int] $wmi.ProcessId; kind = 'detached' }
            }
        } catch {
            $null = $_
        }
        return @{ number = $number; kind = 'shell' }
    }
    @{ number = 0; kind = 'none' }
}
