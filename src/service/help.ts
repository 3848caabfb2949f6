/** The text of `moorage worker install --help`. */
export function helpText(version: string, launcher: string): string {
  return `moorage worker install ${version}: keeps a worker running, as a service of this system.

Usage: ${launcher} worker install llm|asr|mcp [more kinds] [flags of the worker] [flags below]
       ${launcher} worker uninstall [--service <name>]
       ${launcher} worker status [--service <name>]

  --service <name>   The service's name. A second worker on this machine needs another one. Default: moorage-worker.
  --user             A service of this user: a systemd user unit, a LaunchAgent. Default, unless root installs it.
  --system           A service of the machine, which runs without anybody logged in: a systemd unit, a LaunchDaemon.
  --run-as <user>    The user as which a service of the machine runs. Default under systemd: a user of its own.
  --dry-run          Print the files, where they go and the commands; write and start nothing.

Linux: systemd. macOS: launchd. Windows: a scheduled task that starts with the machine, for which the terminal must be
opened with "Run as administrator".

Settings come from flags, environment and file, as for \`moorage worker\`. All of them are written to a file that only the
service's owner can read, so keys and tokens are in no command line. The program and the Bun that runs it are copied, so the
service needs nothing of what it was installed from. Run the same command again to change settings, or with a newer version
to update.

Example:
  ${launcher} worker install llm --server https://moorage.example.com --join mj_…`;
}
