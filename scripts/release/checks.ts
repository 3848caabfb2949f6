/** What a release is made from. */
export interface ReleaseFacts {
  readonly version: string;
  readonly changelog: string;
  /** The output of `git status --porcelain`. */
  readonly status: string;
  /** The tags of the commit that is released. */
  readonly tags: readonly string[];
  /** Whether another commit has the tag of the version. */
  readonly isTaggedElsewhere: boolean;
}

/** Returns the reasons against a release, each with what to do; empty if there is none. */
export function reasonsAgainst({
  version,
  changelog,
  status,
  tags,
  isTaggedElsewhere,
}: ReleaseFacts): readonly string[] {
  const reasons: string[] = [];
  const dirty = status.split("\n").filter((line) => line.trim() !== "");
  if (dirty.length > 0)
    reasons.push(
      `The tree has ${dirty.length} uncommitted change${dirty.length === 1 ? "" : "s"}. Commit or remove them.`,
    );
  if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version)) reasons.push(`'${version}' in package.json is no version.`);
  const section = sectionOf(version, changelog);
  if (section === undefined)
    reasons.push(`CHANGELOG.md has no section '## ${version} – <date>'. Rename '## Unreleased', and add its date.`);
  else if (!section.includes("### Upgrading"))
    reasons.push(`The section ${version} of CHANGELOG.md does not say what to do when upgrading ('### Upgrading').`);
  if (isTaggedElsewhere)
    reasons.push(`The tag v${version} belongs to another commit. Set the next version in package.json.`);
  const versions = tags.filter((tag) => /^v\d/.test(tag));
  if (versions.length > 0 && !versions.includes(`v${version}`))
    reasons.push(`This commit has the tag ${versions.join(", ")}, and package.json says ${version}.`);
  return reasons;
}

/** Returns the section of a version in the changelog without its heading; undefined if there is none with a date. */
export function sectionOf(version: string, changelog: string): string | undefined {
  const parts = changelog.split(/^## /m);
  const heading = new RegExp(`^\\[?${RegExp.escape(version)}\\]? [-–] \\d{4}-\\d{2}-\\d{2}\\b.*\\n`);
  const found = parts.find((part) => heading.test(part));
  return found?.replace(heading, "").trim();
}
