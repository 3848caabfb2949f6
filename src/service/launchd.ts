import { type MachinePlaces, posixJoin, type ServiceMachine } from "./places.ts";
import type { Named, PlannedFile, ServicePlan, ServiceSpec } from "./service-spec.ts";
import { settingsYaml } from "./settings-yaml.ts";
import { xmlText } from "./xml-text.ts";

/** What a property list can contain, as far as these need it. */
type Plist = string | number | boolean | readonly string[] | { readonly [key: string]: Plist };

/** Returns a worker as a job of launchd: an agent of one user, or a daemon of the machine. */
export function launchdPlan(
  spec: ServiceSpec,
  settings: readonly Named[],
  places: MachinePlaces,
  { uid }: Pick<ServiceMachine, "uid">,
): ServicePlan {
  const { name, scope, runAs } = spec;
  const path = posixJoin(places.services, `${name}.plist`);
  const domain = scope === "user" ? `gui/${uid ?? 0}` : "system";
  const job = `${domain}/${name}`;
  const log = places.log ?? "";
  const files: PlannedFile[] = [
    { path: places.settings, text: settingsYaml(settings), access: "private" },
    // Its variables may be secret.
    { path, text: jobText(spec, places), access: spec.environment.length > 0 ? "private" : "public" },
  ];
  return {
    directories: [places.base, posixJoin(log, "..")],
    files,
    start: [
      // launchd says that a job is gone when it has ended.
      { words: ["launchctl", "bootout", job], mayFail: true },
      ...(runAs === undefined ? [] : [{ words: ["chown", "-R", runAs, places.base] } as const]),
      { words: ["launchctl", "enable", job] },
      { words: ["launchctl", "bootstrap", domain, path], retryS: spec.drainS + 10 },
    ],
    stop: [{ words: ["launchctl", "bootout", job], mayFail: true }],
    afterRemoval: [],
    status: { words: ["launchctl", "print", job] },
    logs: `tail -F ${JSON.stringify(log)}`,
    notes:
      scope === "user"
        ? [
            "An agent runs while you are logged in. For a Mac that nobody logs in to, use `sudo … worker install --system`.",
          ]
        : [],
  };
}

/** How much longer than its drain the worker may take to stop, in seconds. */
const CLOSING_S = 10;

function jobText(spec: ServiceSpec, { log, base }: MachinePlaces): string {
  const { name, words, runAs, directory, drainS, environment } = spec;
  return plist({
    Label: name,
    ProgramArguments: words,
    ...(runAs === undefined ? {} : { UserName: runAs }),
    WorkingDirectory: directory ?? base,
    ...(environment.length === 0 ? {} : { EnvironmentVariables: Object.fromEntries(environment) }),
    RunAtLoad: true,
    KeepAlive: true,
    ThrottleInterval: 5,
    ExitTimeOut: drainS + CLOSING_S,
    // Each job uses one file descriptor, and the limit is 256 unless it is set.
    SoftResourceLimits: { NumberOfFiles: 65_536 },
    Umask: 0o077,
    ProcessType: "Standard",
    // The log has a file of its own, which stays small. This one has only what a program says that cannot start.
    StandardOutPath: "/dev/null",
    StandardErrorPath: `${log}.stderr`,
  });
}

function plist(root: Plist): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by \`moorage worker install\`; \`moorage worker uninstall\` removes it. -->
<plist version="1.0">
${element(root, "")}
</plist>
`;
}

function element(value: Plist, indent: string): string {
  const inner = `${indent}  `;
  if (typeof value === "string") return `${indent}<string>${xmlText(value)}</string>`;
  if (typeof value === "number") return `${indent}<integer>${value}</integer>`;
  if (typeof value === "boolean") return `${indent}<${value}/>`;
  if (isList(value))
    return `${indent}<array>\n${value.map((each) => element(each, inner)).join("\n")}\n${indent}</array>`;
  const pairs = Object.entries(value).map(
    ([key, each]) => `${inner}<key>${xmlText(key)}</key>\n${element(each, inner)}`,
  );
  return `${indent}<dict>\n${pairs.join("\n")}\n${indent}</dict>`;
}

function isList(value: Plist): value is readonly string[] {
  return Array.isArray(value);
}
