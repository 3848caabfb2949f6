import type { LockedPackage } from "../../src/packing/lock.ts";

export interface SbomFacts {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly description: string;
  readonly packages: readonly (LockedPackage & { readonly license: string | undefined })[];
  /** The version of Bun, which runs the program and is in its binaries. */
  readonly bun: string;
}

/**
 * Returns the bill of materials in the form of CycloneDX 1.6: the packages whose code is in the program, as bun.lock pins them.
 * It has no time and no serial number, so that equal programs have equal bills.
 */
export function toSbom({ name, version, license, description, packages, bun }: SbomFacts): object {
  const root = purl(name, version);
  const components = new Map(packages.map((each) => [purl(each.name, each.version), component(each)]));
  components.set(purl("bun", bun), component({ name: "bun", version: bun, license: "MIT", integrity: undefined }));
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": root,
        name,
        version,
        description,
        licenses: licenses(license),
        purl: root,
      },
    },
    components: [...components.values()],
    dependencies: [{ ref: root, dependsOn: [...components.keys()] }],
  };
}

function component({
  name,
  version,
  license,
  integrity,
}: Pick<SbomFacts["packages"][number], "name" | "version" | "license" | "integrity">): object {
  const [group, bare] = name.startsWith("@") ? name.split("/") : [undefined, name];
  return {
    type: "library",
    "bom-ref": purl(name, version),
    ...(group !== undefined && { group }),
    name: bare,
    version,
    ...(license !== undefined && { licenses: licenses(license) }),
    purl: purl(name, version),
    ...(integrity?.startsWith("sha512-") && {
      hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex") }],
    }),
  };
}

/** An expression such as `(MIT OR Apache-2.0)` has its own field. */
function licenses(license: string): readonly object[] {
  return /\s/.test(license) ? [{ expression: license }] : [{ license: { id: license } }];
}

/** The package as a URL of packages names it; the @ of a scope is written %40. */
function purl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}
