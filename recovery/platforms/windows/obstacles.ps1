# Why a service could not be started again once it is stopped. Looked at before the first stop.
function Find-Program([string] $image) {
    # $false only where it is certain that the file which a service is started from is not there.
    $image = [Environment]::ExpandEnvironmentVariables($image).Trim() -replace '^\\\?\?\\', ''
    if ($image -match '^"([^"]+)"') { $image = $Matches[1] }
    $image = $image -replace '^(?i)\\?SystemRoot\\', "$env:SystemRoot\"
    if ($image -notmatch '^[A-Za-z]:\\') { return $true }
    # Without quotation marks, Windows tries every prefix that ends before a blank.
    $words = $image.Split(' ')
    for ($i = 0; $i -lt $words.Length; $i++) {
        $path = $words[0..$i] -join ' '
        if ([IO.File]::Exists($path) -or [IO.File]::Exists("$path.exe")) { return $true }
    }
    $path = $words[0] -replace '[<>|"?*]', ''
    $path = [IO.Path]::GetDirectoryName($path)
    # A folder that this account may not read shows no file either.
    while ($path) {
        if ([IO.Directory]::Exists($path)) {
            try { [void] [IO.Directory]::GetFileSystemEntries($path) } catch { return $true }
            return $false
        }
        $path = [IO.Path]::GetDirectoryName($path)
    }
    $true
}

function Get-Obstacle([string] $name, $table) {
    $config = Get-Config $name
    if (-not $table.ContainsKey($name)) {
        if ($null -eq $config) { return "$name does not exist" }
        return "$name cannot be seen: this account lacks the right to query its status (LC in sc.exe sdshow; error 5)"
    }
    if ($null -eq $config) { return '' }
    if ($config.deleted) { return "$name is marked for deletion, so it could not be started again (error 1072)" }
    if ($config.start -eq 4) { return "$name is disabled, so it could not be started again (error 1058)" }
    if ($config.image -and ($config.type -band 0x30) -and -not (Find-Program $config.image)) {
        return "the program of $name is not there, so it could not be started again: $($config.image)"
    }
    foreach ($need in $config.needs) {
        # A plus sign means a group of services.
        if ($need[0] -eq '+') { continue }
        $other = Get-Config $need
        if ($null -eq $other -or $null -eq $other.start) {
            return "$name depends on $need, which does not exist, so it could not be started again (error 1068)"
        }
        if ($other.deleted -and $table.ContainsKey($need) -and $table[$need].state -eq 1) {
            return "$name depends on $need, which is marked for deletion (error 1072)"
        }
        if ($other.start -eq 4 -and $table.ContainsKey($need) -and $table[$need].state -eq 1) {
            return "$name depends on $need, which is disabled, so it could not be started again (error 1068)"
        }
    }
    $group = Get-ClusterGroup $name
    if ($group) {
        return "$name belongs to the cluster's group '$group': the cluster would take a stop for a failure; " +
        'move or restart the group there (Move-ClusterGroup, Stop-ClusterResource)'
    }
    ''
}

function Get-MissingRight([string] $name, [string] $mode) {
    # A service that may be stopped and not started would stay down.
    # The comma keeps an array of one array.
    $wanted = @(, @('start', 'RP', 0x10))
    if ($mode -ne 'start') { $wanted += , @('stop', 'WP', 0x20) }
    foreach ($one in $wanted) {
        $code = Test-Right $name $one[2]
        if ($code -eq 5) { return "$name`: this account lacks the right to $($one[0]) it ($($one[1]) in sc.exe sdshow): $(Format-Problem 5)" }
    }
    ''
}

function Get-Dependents([string] $name, $everybody) {
    # All that depends on a service, through others too. The registry names also what this account may not see.
    $found = New-Object System.Collections.ArrayList
    $waiting = New-Object System.Collections.Queue
    $waiting.Enqueue($name)
    while ($waiting.Count -gt 0) {
        foreach ($one in @($everybody[$waiting.Dequeue()])) {
            if ($one -and $one -ne $name -and -not $found.Contains($one)) {
                [void] $found.Add($one)
                $waiting.Enqueue($one)
            }
        }
    }
    $told = Get-ControllerDependents $name
    if ($told -isnot [int]) {
        foreach ($one in $told) { if ($one -and -not $found.Contains($one)) { [void] $found.Add($one) } }
    }
    $found
}
