import { describe, expect, test } from "bun:test";
import { BUN_VERSION, type Environment, launcherWords } from "../../../src/system/launcher.ts";

const NPM = { npm_config_user_agent: "npm/11.19.1 node/v20.20.2 linux x64 workspaces/false" };
const BUN = { npm_config_user_agent: "bun/1.4.5 npm/? node/v26.3.0 linux x64" };
const SCRIPT = { npm_command: "run-script", npm_package_name: "moorage", npm_lifecycle_event: "moorage" };
const BUNX = { ...BUN, npm_command: "exec", npm_lifecycle_event: "bunx" };
const NPX = { ...NPM, npm_command: "exec", npm_lifecycle_event: "npx", npm_lifecycle_script: "'moorage'" };
const TARBALL = "https://moorage.example/join/moorage-0.2.0.tgz";

describe("the words that start Moorage again", () => {
  test.each<[how: string, env: Environment, words: string]>([
    ["a script in a clone", { ...BUN, ...SCRIPT }, "bun run moorage"],
    ["another script in a clone", { ...BUN, ...SCRIPT, npm_lifecycle_event: "demo" }, "bun run moorage"],
    ["a script in a clone, with Bun from npm", { ...NPM, ...SCRIPT }, `npx -y bun@${BUN_VERSION} run moorage`],
    ["npx with a package", { ...NPX, MOORAGE_LAUNCHED_AS: "npx -y moorage@0.2.0" }, "npx -y moorage@0.2.0"],
    ["npx with a tarball", { ...NPX, MOORAGE_LAUNCHED_AS: `npx -y ${TARBALL}` }, `npx -y ${TARBALL}`],
    ["npx with a package that is installed", NPX, "npx -y moorage"],
    ["bunx with a package", { ...BUNX, npm_lifecycle_script: "moorage" }, "bunx moorage"],
    ["bunx with a version", { ...BUNX, npm_lifecycle_script: "moorage@0.2.0" }, "bunx moorage@0.2.0"],
    ["bunx with a tarball", { ...BUNX, npm_lifecycle_script: TARBALL }, `bunx -p ${TARBALL} moorage`],
    ["an installed package or a binary", { PATH: "/usr/bin" }, "moorage"],
    [
      "an installed package within a script of another project",
      { ...NPM, ...SCRIPT, npm_package_name: "x" },
      "moorage",
    ],
  ])("after %s", (_how, env, words) => {
    expect(launcherWords(env)).toBe(words);
  });

  test("are one line without control characters, whatever the environment contains", () => {
    expect(launcherWords({ MOORAGE_LAUNCHED_AS: "npx\u001b[2J" })).toBe("moorage");
    expect(launcherWords({ MOORAGE_LAUNCHED_AS: "a\nb" })).toBe("moorage");
    expect(launcherWords({ MOORAGE_LAUNCHED_AS: "x".repeat(10_000) })).toBe("moorage");
    expect(launcherWords({ ...BUNX, npm_lifecycle_script: "a\nb" })).toBe("bunx moorage");
  });

  test("are quoted for a shell where the package's address needs it", () => {
    const env = { ...BUNX, npm_lifecycle_script: "https://moorage.example/moorage.tgz?a=1&b=2" };
    expect(launcherWords(env)).toBe("bunx -p 'https://moorage.example/moorage.tgz?a=1&b=2' moorage");
  });
});
