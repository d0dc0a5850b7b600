# How much of the budget is gone: since PowerShell itself was started, not since it had read this.
function Get-Spent { [long] ($Budget.late + $Budget.watch.ElapsedMilliseconds) }
