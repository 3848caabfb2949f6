import { win32 } from "node:path";
import type { MachinePlaces } from "./places.ts";
import type { Named, ServicePlan, ServiceSpec } from "./service-spec.ts";
import { settingsYaml } from "./settings-yaml.ts";
import { xmlText } from "./xml-text.ts";

/**
 * Returns a worker as a scheduled task. A service of Windows has to talk to its service manager, which needs another program
 * around the worker; the Task Scheduler starts any program, at each start of the machine and without a window.
 */
export function windowsPlan(
  spec: ServiceSpec,
  settings: readonly Named[],
  places: MachinePlaces,
  user: string,
): ServicePlan {
  const { name } = spec;
  const file = win32.join(places.base, "task.xml");
  return {
    directories: [places.base],
    files: [
      { path: places.settings, text: settingsYaml(settings), access: "private" },
      { path: file, text: taskXml(spec, user, places.base), access: "public", encoding: "utf16le" },
    ],
    start: [
      { words: ["schtasks", "/End", "/TN", name], mayFail: true },
      { words: ["schtasks", "/Create", "/TN", name, "/XML", file, "/F"] },
      { words: ["schtasks", "/Run", "/TN", name], retryS: 30 },
    ],
    stop: [
      { words: ["schtasks", "/End", "/TN", name], mayFail: true },
      { words: ["schtasks", "/Delete", "/TN", name, "/F"], mayFail: true },
    ],
    afterRemoval: [],
    status: { words: ["schtasks", "/Query", "/TN", name, "/V", "/FO", "LIST"] },
    logs: `Get-Content -Wait -Tail 50 '${(places.log ?? "").replaceAll("'", "''")}'`,
    notes: [
      "Windows allows such a task only to administrators: run this in a terminal that was opened with “Run as administrator”.",
    ],
  };
}

/**
 * The definition of the task, as [MS-TSCH] 2.5 describes it. It starts with the machine; each minute, it is started again if it
 * does not run. S4U runs it as the user, without a password, a window or a session.
 */
function taskXml({ name, words, directory }: ServiceSpec, user: string, base: string): string {
  const [program, ...rest] = words;
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>${xmlText(`Moorage worker (${name}). Written by "moorage worker install"; "moorage worker uninstall" removes it.`)}</Description>
  </RegistrationInfo>
  <Triggers>
    <BootTrigger>
      <Enabled>true</Enabled>
    </BootTrigger>
    <TimeTrigger>
      <Enabled>true</Enabled>
      <StartBoundary>2020-01-01T00:00:00</StartBoundary>
      <Repetition>
        <Interval>PT1M</Interval>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>${xmlText(user)}</UserId>
      <LogonType>S4U</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${xmlText(taskWord(program))}</Command>
      <Arguments>${xmlText(rest.map((word) => windowsWord(taskWord(word))).join(" "))}</Arguments>
      <WorkingDirectory>${xmlText(taskWord(directory ?? base))}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
`;
}

/**
 * Returns a word that the Task Scheduler leaves as it is. It replaces `%NAME%` and `$(Name)`, and nothing can keep it from
 * that. Throws a `RangeError` for such a word.
 */
function taskWord(word: string): string {
  if (/%[^%]+%|\$\(/.test(word))
    throw new RangeError("a text such as %NAME% or $(Name), which the Task Scheduler would replace");
  return word;
}

/** Returns text as one word of a Windows command line, as `CommandLineToArgvW` reads it. */
export function windowsWord(word: string): string {
  if (word !== "" && !/[\s"]/.test(word)) return word;
  return `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, "$&$&")}"`;
}
