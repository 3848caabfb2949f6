import { OLDEST_NODE, type ScriptFacts, tarballUrl } from "./sh-script.ts";

/**
 * Returns `/join.ps1`: what `shScript` returns, for PowerShell 5.1 and later. It calls Node itself and not `npx`, which is a script
 * that Windows may forbid to PowerShell, and that cmd would read again. It ends with the exit code of the program, and leaves the
 * window open.
 */
export function powershellScript(facts: ScriptFacts): string {
  const { origin, version } = facts;
  return `# Runs Moorage ${version}, the version of the server at ${origin}, with the words that it is given:
#
#   & ([scriptblock]::Create((irm ${origin}/join.ps1))) worker llm --join TOKEN
#
# It needs Node with npx, or Bun, and installs neither. They fetch the program from this server, and Bun from their usual
# registry, into their caches.
$ErrorActionPreference = 'Stop'
$origin = '${origin}'
$tarball = '${tarballUrl(facts)}'
$words = @($args | ForEach-Object { [string]$_ })

# Writes one argument in the form in which programs on Windows read their command line.
function ConvertTo-Argument([string]$word) {
  if ($word -match '^[A-Za-z0-9_./:=@%+,-]+$') { return $word }
  $escaped = [regex]::Replace($word, '(\\\\*)"', '$1$1\\"')
  $escaped = [regex]::Replace($escaped, '(\\\\+)$', '$1$1')
  return '"' + $escaped + '"'
}

# PowerShell 5 drops quotes inside arguments, so the command line is written here.
function Invoke-Program([string]$path, [string[]]$arguments) {
  $start = New-Object System.Diagnostics.ProcessStartInfo
  $start.FileName = $path
  $start.Arguments = (@($arguments | ForEach-Object { ConvertTo-Argument $_ }) -join ' ')
  $start.UseShellExecute = $false
  $start.WorkingDirectory = (Get-Location -PSProvider FileSystem).ProviderPath
  $process = [System.Diagnostics.Process]::Start($start)
  $process.WaitForExit()
  $global:LASTEXITCODE = $process.ExitCode
}

function Find-Program([string]$name) {
  $found = @(Get-Command $name -CommandType Application -ErrorAction SilentlyContinue)
  if ($found.Count -gt 0) { return $found[0].Path }
  return $null
}

# The script behind npx, which lies beside Node on Windows and below lib elsewhere.
function Find-Npx([string]$node) {
  $folder = Split-Path -Parent $node
  foreach ($below in 'node_modules', '../lib/node_modules', '../share/nodejs', '../../share/nodejs') {
    $path = Join-Path $folder (Join-Path $below 'npm/bin/npx-cli.js')
    if (Test-Path -LiteralPath $path) { return (Resolve-Path -LiteralPath $path).ProviderPath }
  }
  $npm = Find-Program 'npx'
  if ($npm) {
    $path = Join-Path (Split-Path -Parent $npm) 'node_modules/npm/bin/npx-cli.js'
    if (Test-Path -LiteralPath $path) { return (Resolve-Path -LiteralPath $path).ProviderPath }
  }
  return $null
}

function Test-Node([string]$node) {
  $major = & $node -p 'process.versions.node.split(/\\D/)[0]' 2>$null
  return ($LASTEXITCODE -eq 0) -and ([int]$major -ge ${OLDEST_NODE})
}

if ($words.Count -eq 0) {
  Write-Host 'Say what to run, for example:'
  Write-Host "  & ([scriptblock]::Create((irm $origin/join.ps1))) worker llm --join TOKEN"
  $global:LASTEXITCODE = 2
  return
}
$isForServer = $words[0] -eq 'doctor' -or ($words[0] -eq 'worker' -and $words[1] -notin 'uninstall', 'status')
if ($isForServer -and -not ($words -match '^--server(=|$)')) {
  $words += @('--server', $origin)
}

$node = Find-Program 'node'
$npx = $null
if ($node -and (Test-Node $node)) { $npx = Find-Npx $node }
$bun = Find-Program 'bun'
if ($npx) {
  Invoke-Program $node (@($npx, '-y', $tarball) + $words)
} elseif ($bun) {
  Invoke-Program $bun (@('x', '--bun', '-p', $tarball, 'moorage') + $words)
} else {
  Write-Host 'Moorage needs Node ${OLDEST_NODE} or later with npx, or Bun, and this machine has neither.'
  Write-Host 'Install Node from https://nodejs.org/en/download, or with: winget install OpenJS.NodeJS.LTS'
  Write-Host 'Or install Bun from https://bun.com. Then open a new window and run the same line again.'
  $global:LASTEXITCODE = 1
}
`;
}
