# Outlives the shell that stops services: when that has ended, whatever it left down is started.
# $settings: the process to wait for, the names in the order of starting, seconds to try.
$ErrorActionPreference = 'Continue'
$watch = [Diagnostics.Stopwatch]::StartNew()
try {
    $parent = [Diagnostics.Process]::GetProcessById($settings.parent)
    while (-not $parent.WaitForExit(1000) -and $watch.Elapsed.TotalSeconds -lt $settings.seconds) { }
} catch { }
$tries = @{}
while ($watch.Elapsed.TotalSeconds -lt $settings.seconds) {
    $left = 0
    foreach ($name in $settings.names) {
        try {
            $service = @(Get-Service -ErrorAction SilentlyContinue | Where-Object { $_.Name -eq $name })[0]
            if ($null -eq $service) { continue }
            if ($service.Status -eq 'Running') { continue }
            $left++
            if ($service.Status -eq 'Stopped') {
                # A service that ends at once is not started for ever.
                $tries[$name] += 1
                if ($tries[$name] -gt 5) { $left--; continue }
                $service.Start()
            }
            # What depends on it waits for it.
            break
        } catch { break }
    }
    if ($left -eq 0) { break }
    Start-Sleep -Milliseconds 250
}
