# Without the time that PowerShell itself took to start: a test that gives a script few seconds runs on busy machines too.
function Get-Spent { [long] $Budget.watch.ElapsedMilliseconds }
