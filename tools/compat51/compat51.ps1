# Says what in PowerShell scripts Windows PowerShell 5.1 on .NET Framework 4.5 does not know: syntax, commands,
# parameters, types, static members, and method names with that many arguments. Reads, never runs.
# Call: pwsh -NoProfile -File compat51.ps1 SCRIPT.ps1 ...   Exit: 0 nothing found, 1 something, 2 cannot tell.
# What it cannot see: the type behind a variable, and commands whose name is computed.
param([Parameter(ValueFromRemainingArguments)] [string[]] $Files)
# The table holds what the project's scripts use and no more; `tools/compat51/extend` takes more from a whole one.
$ErrorActionPreference = 'Stop'
if (-not $Files) { [Console]::Error.WriteLine('usage: compat51.ps1 SCRIPT.ps1 ...'); exit 2 }
$known = Get-Content -Raw (Join-Path $PSScriptRoot 'table.json') | ConvertFrom-Json -AsHashtable
$fold = { param($table) $d = [Collections.Generic.Dictionary[string, string]]::new([StringComparer]::OrdinalIgnoreCase)
    foreach ($pair in $table.GetEnumerator()) { $d[$pair.Key] = [string] $pair.Value }; , $d }
$commands = & $fold $known['commands']; $types = & $fold $known['types']; $methods = & $fold $known['methods']
$common = 'Verbose Debug ErrorAction WarningAction InformationAction ErrorVariable WarningVariable InformationVariable OutVariable OutBuffer PipelineVariable WhatIf Confirm'.Split(' ')
$short = @{ string = 'System.String'; char = 'System.Char'; byte = 'System.Byte'; int = 'System.Int32'; long = 'System.Int64'; uint16 = 'System.UInt16'
    uint32 = 'System.UInt32'; uint64 = 'System.UInt64'; int16 = 'System.Int16'; int32 = 'System.Int32'; int64 = 'System.Int64'; single = 'System.Single'
    float = 'System.Single'; double = 'System.Double'; decimal = 'System.Decimal'; bool = 'System.Boolean'; object = 'System.Object'; array = 'System.Array'
    hashtable = 'System.Collections.Hashtable'; regex = 'System.Text.RegularExpressions.Regex'; xml = 'System.Xml.XmlDocument'; guid = 'System.Guid'
    datetime = 'System.DateTime'; timespan = 'System.TimeSpan'; version = 'System.Version'; type = 'System.Type'; scriptblock = 'System.Management.Automation.ScriptBlock'
    switch = 'System.Management.Automation.SwitchParameter'; psobject = 'System.Management.Automation.PSObject'; pscustomobject = 'System.Management.Automation.PSObject'
    psreference = 'System.Management.Automation.PSReference'; ref = 'System.Management.Automation.PSReference'; void = 'System.Void'; ipaddress = 'System.Net.IPAddress'; uri = 'System.Uri'
    sbyte = 'System.SByte'; bigint = 'System.Numerics.BigInteger'; securestring = 'System.Security.SecureString'; pscredential = 'System.Management.Automation.PSCredential'
    powershell = 'System.Management.Automation.PowerShell'; runspacefactory = 'System.Management.Automation.Runspaces.RunspaceFactory'; math = 'System.Math'; convert = 'System.Convert'
    cmdletbinding = ''; parameter = ''; validateset = ''; validaterange = ''; validatepattern = ''; validatenotnull = ''; validatenotnullorempty = ''; alias = ''; outputtype = ''
    ordered = ''; wmi = ''; wmiclass = ''; wmisearcher = ''; adsi = ''; adsisearcher = ''; cimsession = ''; ciminstance = ''; allownull = ''; allowemptystring = ''; allowemptycollection = '' }
$aliases = @{ '%' = 'ForEach-Object'; '?' = 'Where-Object'; foreach = 'ForEach-Object'; where = 'Where-Object'; select = 'Select-Object'; sort = 'Sort-Object' }
$found = 0
function Note($ast, [string] $text) {
    $script:found++
    "$([IO.Path]::GetFileName($ast.Extent.File)):$($ast.Extent.StartLineNumber): $text"
}
function Resolve-Name([string] $name) {
    $bare = $name -replace '\[\]$', '' -replace '\[.*$', ''
    if ($short.ContainsKey($bare)) { return $short[$bare] }
    foreach ($full in $bare, "System.$bare", "System.Management.Automation.$bare") {
        if ($types.ContainsKey($full)) { return $full }
        for ($i = 1; $i -le 4; $i++) { if ($types.ContainsKey("$full``$i")) { return "$full``$i" } }
    }
    $null
}
foreach ($file in $Files) {
    if (-not (Test-Path -PathType Leaf $file)) { [Console]::Error.WriteLine("no such file: $file"); exit 2 }
    $problems = $null; $tokens = $null
    $tree = [Management.Automation.Language.Parser]::ParseFile((Resolve-Path $file).Path, [ref] $tokens, [ref] $problems)
    foreach ($one in $problems) { $found++; "$([IO.Path]::GetFileName($file)):$($one.Extent.StartLineNumber): $($one.Message)" }
    $all = $tree.FindAll({ $true }, $true)
    # Types that the script makes itself are its own affair.
    $own = @($all | Where-Object { $_ -is [Management.Automation.Language.FunctionDefinitionAst] } | ForEach-Object Name)
    $made = @([regex]::Matches($tree.Extent.Text, '(?:class|struct|enum|interface)\s+(\w+)') | ForEach-Object { $_.Groups[1].Value })
    # Functions of Windows' own that the script binds by name.
    $bound = @([regex]::Matches($tree.Extent.Text, "@\('\w+\.dll', '(\w+)'") | ForEach-Object { $_.Groups[1].Value })
    foreach ($ast in $all) {
        $kind = $ast.GetType().Name
        if ($kind -in 'TernaryExpressionAst', 'PipelineChainAst') { Note $ast "syntax of PowerShell 7: $($ast.Extent.Text)" }
        if ($kind -eq 'BinaryExpressionAst' -and $ast.Operator -eq 'QuestionQuestion') { Note $ast 'syntax of PowerShell 7: ??' }
        if ($kind -eq 'AssignmentStatementAst' -and $ast.Operator -eq 'QuestionQuestionEquals') { Note $ast 'syntax of PowerShell 7: ??=' }
        if ($kind -like '*MemberExpressionAst' -and $ast.NullConditional) { Note $ast 'syntax of PowerShell 7: ?.' }
        if ($kind -eq 'IndexExpressionAst' -and $ast.NullConditional) { Note $ast 'syntax of PowerShell 7: ?[' }
        if ($kind -eq 'NamedBlockAst' -and $ast.BlockKind -eq 'Clean') { Note $ast 'syntax of PowerShell 7: clean' }
        if ($kind -eq 'PipelineAst' -and $ast.Background) { Note $ast 'syntax of PowerShell 7: &' }
        if ($kind -eq 'CommandAst') {
            $name = $ast.GetCommandName()
            if (-not $name -or $name -match '[\\/]|\.exe$' -or $own -contains $name) { continue }
            if ($aliases.ContainsKey($name)) { $name = $aliases[$name] }
            if (-not $commands.ContainsKey($name)) { Note $ast "no such command in 5.1's own modules: $name"; continue }
            $takes = @($commands[$name].Split(' ')) + $common
            foreach ($element in $ast.CommandElements) {
                if ($element -isnot [Management.Automation.Language.CommandParameterAst]) { continue }
                if (-not ($takes -like "$($element.ParameterName)*")) { Note $element "$name has no parameter -$($element.ParameterName) in 5.1" }
            }
            if ($name -eq 'New-Object') {
                $made2 = @($ast.CommandElements | Select-Object -Skip 1 | Where-Object { $_ -is [Management.Automation.Language.StringConstantExpressionAst] })[0]
                if ($made2 -and $made -notcontains $made2.Value -and $null -eq (Resolve-Name $made2.Value)) { Note $made2 "no such type in .NET Framework 4.5: $($made2.Value)" }
            }
        }
        if ($kind -in 'TypeExpressionAst', 'TypeConstraintAst', 'AttributeAst') {
            if ($made -notcontains $ast.TypeName.Name -and $null -eq (Resolve-Name $ast.TypeName.FullName)) { Note $ast "no such type in .NET Framework 4.5: $($ast.TypeName.FullName)" }
        }
        if ($kind -in 'MemberExpressionAst', 'InvokeMemberExpressionAst' -and $ast.Member -is [Management.Automation.Language.StringConstantExpressionAst]) {
            $member = $ast.Member.Value
            if ($ast.Static -and $ast.Expression -is [Management.Automation.Language.TypeExpressionAst]) {
                $full = Resolve-Name $ast.Expression.TypeName.FullName
                if ($full -and $types.ContainsKey($full) -and $member -ne 'new' -and ($types[$full].Split(' ') -notcontains $member)) { Note $ast "$full has no static member $member in .NET Framework 4.5" }
            }
            if ($kind -eq 'InvokeMemberExpressionAst' -and $member -ne 'new' -and $made.Count -eq 0 -and $bound -notcontains $member) {
                $count = @($ast.Arguments | Where-Object { $null -ne $_ }).Count
                if (-not $methods.ContainsKey($member)) { Note $ast "no type of .NET Framework 4.5 has a method $member" }
                elseif (($methods[$member].Split(' ') -notcontains '*') -and ($methods[$member].Split(' ') -notcontains "$count")) { Note $ast "no method $member of .NET Framework 4.5 takes $count arguments" }
            }
        }
    }
}
"$($Files.Count) scripts, $found findings"
exit [int] ($found -gt 0)
