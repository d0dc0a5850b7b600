# The registry, the event logs, identity and shutdown.exe, as $env:STANDIN says.
if (-not $standin) { $standin = $env:STANDIN | ConvertFrom-Json }
function Write-Deed([string] $text) { [IO.File]::AppendAllText($env:STANDIN_LOG, "$text`n") }
function Test-Key([string] $path) { @($standin.keys) -contains $path }
function New-Marker([string] $path) { Write-Deed "marker $path" }
function Remove-Marker([string] $path) { Write-Deed "no marker $path" }
function Get-Finishing { @($standin.finishing | Where-Object { $_ }) }
function Get-Servicing($processes) { @($standin.servicing | Where-Object { $_ }) }
function Get-LoggedOn($processes) { @($standin.users | Where-Object { $_ }) }
function Get-SystemName { @{ caption = 'Microsoft Windows Server 2022 Standard'; version = '10.0.20348.1' } }
function Get-Identity { @{ name = 'EXAMPLE\svc'; administrator = [bool] $standin.administrator } }
function Get-WinRmSettings { @{ listeners = @('HTTPS * port 5986'); settings = @{ Basic = 'false' } } }
function Get-LogEvents([DateTime] $since) {
    foreach ($one in @($standin.events | Where-Object { $_ })) {
        [pscustomobject] @{ ProviderName = $one.provider; Message = $one.message; TimeCreated = [DateTime] $one.at }
    }
}
function Invoke-Shutdown([string[]] $words) {
    Write-Deed "shutdown $($words -join '|')"
    @{ code = [int] $standin.shutdown; said = 'said' }
}
