import { type MachinePlaces, posixJoin } from "./places.ts";
import type { Command, Named, ServicePlan, ServiceSpec } from "./service-spec.ts";
import { environmentFile, escapeSpecifiers, execLine, patternPath, plainPath } from "./systemd-text.ts";

/** Returns a worker as a unit of systemd: of the machine, or of one user's session. */
export function systemdPlan(spec: ServiceSpec, settings: readonly Named[], places: MachinePlaces): ServicePlan {
  const { name, scope } = spec;
  const unit = `${name}.service`;
  const environment = [...spec.environment, ...settings];
  const systemctl = (...words: string[]): Command => ({
    words: scope === "user" ? ["systemctl", "--user", ...words] : ["systemctl", ...words],
  });
  const reload = systemctl("daemon-reload");
  return {
    directories: [],
    files: [
      { path: places.settings, text: `${HEAD}${environmentFile(environment)}`, access: "private" },
      { path: posixJoin(places.services, unit), text: unitText(spec, places), access: "public" },
    ],
    start: [reload, systemctl("enable", unit), systemctl("restart", unit)],
    stop: [{ ...systemctl("disable", "--now", unit), mayFail: true }],
    afterRemoval: [reload, { ...systemctl("reset-failed", unit), mayFail: true }],
    check: systemctl("is-active", "--quiet", unit),
    status: systemctl("status", "--no-pager", unit),
    logs: `journalctl ${scope === "user" ? "--user-unit" : "--unit"} ${unit} --follow`,
    notes: [],
  };
}

const HEAD =
  "# Settings of a Moorage worker, by the variables of docs/configuration.md. Restart the service after a change.\n";

/** How much longer than its drain the worker may take to stop, in seconds. */
const CLOSING_S = 10;

function unitText(spec: ServiceSpec, places: MachinePlaces): string {
  const { name, scope, words, directory, drainS } = spec;
  const lines = [
    "# Written by `moorage worker install`; `moorage worker uninstall` removes it.",
    "",
    "[Unit]",
    `Description=Moorage worker (${name})`,
    // The manager of a user's session knows no network targets; a worker that finds no network dials again.
    ...(scope === "system" ? ["Wants=network-online.target", "After=network-online.target ollama.service"] : []),
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    `ExecStart=${execLine(words)}`,
    `EnvironmentFile=${patternPath(places.settings)}`,
    ...(directory === undefined ? [] : [`WorkingDirectory=${plainPath(directory)}`]),
    "Restart=always",
    "RestartSec=2",
    "# Restarting does not help when the settings are wrong.",
    "RestartPreventExitStatus=78",
    `TimeoutStopSec=${drainS + CLOSING_S}`,
    "# The worker itself stops the MCP servers that it has started, once their calls are done.",
    "KillMode=mixed",
    "LimitNOFILE=65536",
    "UMask=0077",
    ...(scope === "system" ? confinement(spec) : []),
    "",
    "[Install]",
    `WantedBy=${scope === "system" ? "multi-user.target" : "default.target"}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** A user of the machine keeps access to its own files; a user of the service's own has none but its state. */
function confinement({ name, runAs }: ServiceSpec): readonly string[] {
  if (runAs !== undefined)
    return [
      "",
      `User=${escapeSpecifiers(runAs)}`,
      `StateDirectory=${name}`,
      "StateDirectoryMode=0700",
      ...CONFINED,
      "PrivateTmp=yes",
    ];
  return [
    "",
    "# A user that exists only while the worker runs, with its state in /var/lib.",
    "DynamicUser=yes",
    `StateDirectory=${name}`,
    "StateDirectoryMode=0700",
    `WorkingDirectory=%S/${name}`,
    `Environment=HOME=%S/${name}`,
    "PrivateTmp=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateDevices=yes",
    ...CONFINED,
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "RestrictNamespaces=yes",
    "RemoveIPC=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged",
    "SystemCallErrorNumber=EPERM",
    "# No MemoryDenyWriteExecute: the JavaScript engine compiles code at run time.",
  ];
}

const CONFINED = [
  "NoNewPrivileges=yes",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
];
