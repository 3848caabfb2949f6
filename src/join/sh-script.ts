import { shWord } from "./lines.ts";

/** What the scripts are made for. */
export interface ScriptFacts {
  /** The origin of the server, from `joinOrigin`. */
  readonly origin: string;
  readonly version: string;
}

/** The oldest Node that the package's launcher runs on. */
export const OLDEST_NODE = 18;

/** Returns the URL of a version's tarball. */
export function tarballUrl({ origin, version }: ScriptFacts): string {
  return `${origin}/join/moorage-${version}.tgz`;
}

/**
 * Returns `/join.sh`: a script for any POSIX shell that runs this server's own version of the program with the words it is
 * given. It does nothing before its last line, so that one that was cut off does nothing at all.
 */
export function shScript(facts: ScriptFacts): string {
  const { origin, version } = facts;
  return `#!/bin/sh
# Runs Moorage ${version}, the version of the server at ${origin}, with the words that it is given:
#
#   curl -fsSL ${origin}/join.sh | sh -s -- worker llm --join TOKEN
#
# It needs Node with npx, or Bun, and installs neither. They fetch the program from this server, and Bun from their usual
# registry, into their caches.
set -eu

origin=${shWord(origin)}
tarball=${shWord(tarballUrl(facts))}

say() {
  printf '%s\\n' "$*" >&2
}

has() {
  command -v "$1" >/dev/null 2>&1
}

node_fits() {
  has node && has npx && node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= ${OLDEST_NODE} ? 0 : 1)' 2>/dev/null
}

names_server() {
  for word in "$@"; do
    case $word in
      --server | --server=*) return 0 ;;
    esac
  done
  return 1
}

main() {
  if [ "$#" -eq 0 ]; then
    say "Say what to run, for example:"
    say "  curl -fsSL $origin/join.sh | sh -s -- worker llm --join TOKEN"
    say "  curl -fsSL $origin/join.sh | sh -s -- worker --help"
    exit 2
  fi
  case "$1 \${2-}" in
    "worker uninstall" | "worker status") ;;
    "worker "* | "doctor "*) names_server "$@" || set -- "$@" --server "$origin" ;;
  esac
  if node_fits; then
    exec npx -y "$tarball" "$@"
  elif has bunx; then
    exec bunx --bun -p "$tarball" moorage "$@"
  elif has bun; then
    exec bun x --bun -p "$tarball" moorage "$@"
  fi
  if has node; then
    say "Moorage needs Node ${OLDEST_NODE} or later with npx, or Bun. The Node on this machine is $(node --version 2>/dev/null || echo older), or comes without npx."
  else
    say "Moorage needs Node ${OLDEST_NODE} or later with npx, or Bun. This machine has neither."
  fi
  case $(uname -s 2>/dev/null) in
    Darwin) say "Install Node from https://nodejs.org/en/download or with 'brew install node'." ;;
    *) say "Install Node from https://nodejs.org/en/download or with your system's packages: nodejs and npm." ;;
  esac
  say "Or install Bun from https://bun.com. Then run the same line again."
  exit 1
}

main "$@"
`;
}
