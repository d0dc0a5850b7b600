# Whether another repair is at work, as $env:STANDIN says.
function Enter-Turn([int] $milliseconds) { -not ($env:STANDIN | ConvertFrom-Json).taken }
