import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import {
  atLeastOne,
  duration,
  host,
  integer,
  list,
  parsed,
  secretKey,
  size,
  word,
} from "../../../src/settings/kinds.ts";
import { nearest } from "../../../src/settings/nearest.ts";
import { addressRanges, listener, origins, port } from "../../../src/settings/network.ts";
import { deepFreeze, readSettings, type Sources } from "../../../src/settings/read-settings.ts";
import { type Kind, setting, unset } from "../../../src/settings/setting.ts";
import { parseDuration, parseSize } from "../../../src/settings/units.ts";

const letters: Kind<readonly string[]> = list(
  parsed((text) => (/^[a-z]+$/.test(text) ? text : undefined)),
  { placeholder: "word,…", accepts: "words" },
);
const table = {
  port: setting(integer(0, 65_535), { variable: "PORT", default: "8080", help: "The port." }),
  waitMs: setting(duration("0s", "1h"), { variable: "WAIT_TIME", default: "5s", help: "The wait." }),
  tags: unset(letters, { variable: "TAGS", absent: [], help: "The tags." }),
  secrets: unset(letters, { variable: "SECRET_WORDS", absent: [], isSecret: true, help: "The words." }),
  token: unset(secretKey, { variable: "TOKEN", absent: undefined, isSecret: true, help: "The token." }),
};
const program = { name: "sample", version: "1.2.3", about: "a sample.", usage: "sample [flags]" };

function read(argv: readonly string[], env: Sources["env"] = {}, yaml = "") {
  return readSettings(
    table,
    { argv, env: { ...(yaml ? { CONFIG_FILE: "/s.yaml" } : {}), ...env }, readFile: () => yaml },
    program,
  );
}

function faultsOf(argv: readonly string[], env: Sources["env"] = {}, yaml = ""): readonly string[] {
  const result = read(argv, env, yaml);
  return result.kind === "read" ? result.faults : [`said: ${result.text}`];
}

function valuesOf(argv: readonly string[], env: Sources["env"] = {}, yaml = "") {
  const result = read(argv, env, yaml);
  if (result.kind !== "read" || !result.values) throw new Error(faultsOf(argv, env, yaml).join("\n"));
  return result.values;
}

function textOf(argv: readonly string[], env: Sources["env"] = {}, yaml = ""): string {
  const result = read(argv, env, yaml);
  return result.kind === "print" ? result.text : (result.print?.({}) ?? "");
}

describe("parsers of units", () => {
  test.each([
    ["250ms", 250],
    ["5s", 5000],
    ["90", 90_000],
    ["0", 0],
    ["0.5", 500],
    ["1.5s", 1500],
    ["5m", 300_000],
    ["5M", 300_000],
    ["1h30m", 5_400_000],
    ["1h 30m", 5_400_000],
    ["1m500ms", 60_500],
    ["2d", 172_800_000],
    ["1d1h1m1s1ms", 90_061_001],
  ])("read the duration %p as %p ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    "",
    " ",
    "s",
    "5x",
    "-5s",
    "5 minutes",
    "30m1h",
    "1h1h",
    "1e3",
    ".5s",
    "5s5",
    "NaN",
    "Infinity",
    "9".repeat(20),
  ])("refuse %p as a duration", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test.each([
    ["0", 0],
    ["100", 100],
    ["100B", 100],
    ["512k", 524_288],
    ["512Ki", 524_288],
    ["64KiB", 65_536],
    ["64 KiB", 65_536],
    ["64kb", 64_000],
    ["10MB", 10_000_000],
    ["64MiB", 67_108_864],
    ["1.5GiB", 1_610_612_736],
    ["2G", 2_147_483_648],
    ["1TB", 1_000_000_000_000],
  ])("read the size %p as %p bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(["", "MiB", "-1", "5iB", "5i", "1PiB", "64MiBs", "1e3", "0x10", "1,5k", "9".repeat(20)])(
    "refuse %p as a size",
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );
});

describe("kinds of settings", () => {
  test.each<[string, Kind<unknown>, unknown, unknown]>([
    ["integer", integer(1, 10), " 7 ", 7],
    ["duration at its lower bound", duration("1s", "1m"), "1000ms", 1000],
    ["size at its upper bound", size("1KiB", "1MiB"), "1024k", 1_048_576],
    ["word in any case", word(["info", "warn"]), "WARN", "warn"],
    ["list with blanks, gaps and repetitions", letters, " a, b,,a ", ["a", "b"]],
    ["list from YAML", letters, ["a", "b"], ["a", "b"]],
    ["empty list from YAML", letters, [], []],
    ["host name", host, "my-box.example", "my-box.example"],
    ["IPv6 host in brackets", host, "[::1]", "::1"],
    ["port 0", port, "0", 0],
    ["bare port", listener, "9090", { host: undefined, port: 9090 }],
    ["port behind a colon", listener, ":9090", { host: undefined, port: 9090 }],
    ["address and port", listener, "127.0.0.1:9090", { host: "127.0.0.1", port: 9090 }],
    ["IPv6 address and port", listener, "[::1]:9090", { host: "::1", port: 9090 }],
    ["ranges", addressRanges, "10.0.0.0/8,::1,fd00::/8", ["10.0.0.0/8", "::1", "fd00::/8"]],
    ["no ranges", addressRanges, "None", []],
    ["origin with a slash and its default port", origins, "https://App.example.com:443/", ["https://app.example.com"]],
    ["origin of a desktop app", origins, "tauri://localhost", ["tauri://localhost"]],
    ["any origin", origins, "*", ["*"]],
  ])("accept %s", (_name, kind, written, value) => {
    expect(v.parse(kind.schema, written)).toEqual(value);
  });

  test.each<[string, Kind<unknown>, unknown]>([
    ["integer below", integer(1, 10), "0"],
    ["integer above", integer(1, 10), "11"],
    ["fraction", integer(1, 10), "1.5"],
    ["hexadecimal", integer(1, 100), "0x10"],
    ["duration below", duration("1s", "1m"), "999ms"],
    ["duration above", duration("1s", "1m"), "61s"],
    ["size below", size("1KiB", "1MiB"), "1023"],
    ["unknown word", word(["info", "warn"]), "trace"],
    ["list of commas alone", letters, " , ,"],
    ["list item", letters, "a,B,c"],
    ["empty list where one item is needed", atLeastOne(letters), []],
    ["host with a port", host, "127.0.0.1:80"],
    ["mistyped address", host, "127.0.0.300"],
    ["host name with a blank", host, "my box"],
    ["star host", host, "*"],
    ["port above", port, "65536"],
    ["negative port", port, "-1"],
    ["listener without a port", listener, "127.0.0.1"],
    ["listener with a bare IPv6 address", listener, "::1:9090"],
    ["prefix too long", addressRanges, "10.0.0.0/33"],
    ["prefix missing", addressRanges, "10.0.0.0/"],
    ["host name as a range", addressRanges, "proxy.example"],
    ["address with a zone", addressRanges, "fe80::1%eth0"],
    ["none among ranges", addressRanges, "none,10.0.0.1"],
    ["origin with a path", origins, "https://a.example/app"],
    ["origin without a scheme", origins, "a.example"],
    ["origin with a wildcard", origins, "https://*.example"],
    ["origin with a password", origins, "https://u:p@a.example"],
    ["key with a blank", secretKey, "a b"],
    ["key with a newline inside", secretKey, "a\nb"],
    ["key beyond ASCII", secretKey, "schlüssel"],
    ["list where one value belongs", integer(1, 10), ["1"]],
  ])("refuse %s", (_name, kind, written) => {
    expect(v.is(kind.schema, written)).toBe(false);
  });
});

describe("sources of settings", () => {
  test("rank flags over the environment, over the file, over the default", () => {
    expect(valuesOf([]).port).toBe(8080);
    expect(valuesOf([], {}, "port: 1").port).toBe(1);
    expect(valuesOf([], { PORT: "2" }, "port: 1").port).toBe(2);
    expect(valuesOf(["--port", "3"], { PORT: "2" }, "port: 1").port).toBe(3);
    expect(valuesOf(["--port=3"], { PORT: "2" }, "port: 1").port).toBe(3);
  });

  test("read the file named by the flag, not the one named by the variable", () => {
    const readFile = (path: string) => (path === "/flag.yaml" ? "port: 1" : "port: 2");
    const result = readSettings(
      table,
      { argv: ["--config", "/flag.yaml"], env: { CONFIG_FILE: "/env.yaml" }, readFile },
      program,
    );
    expect(result).toMatchObject({ kind: "read", values: { port: 1 } });
  });

  test("take an empty or blank variable as unset, and a YAML key without a value too", () => {
    expect(valuesOf([], { PORT: "", WAIT_TIME: "  " }, "port: 7")).toMatchObject({ port: 7, waitMs: 5000 });
    expect(valuesOf([], {}, "port:\ntags: ''\n")).toMatchObject({ port: 8080, tags: [] });
  });

  test("ignore a variable that no setting names", () => {
    expect(faultsOf([], { PROT: "1", HOME: "/root" })).toEqual([]);
  });

  test("accept a YAML file that is empty or has only comments", () => {
    expect(faultsOf(["--config=/s.yaml"])).toEqual([]);
    expect(faultsOf([], {}, "# nothing\n")).toEqual([]);
  });

  test("take the last of a repeated flag, and all flags of a list", () => {
    expect(valuesOf(["--port", "1", "--tags", "a,b", "--port", "2", "--tags=c"])).toMatchObject({
      port: 2,
      tags: ["a", "b", "c"],
    });
  });

  test("accept a value that begins with one dash", () => {
    expect(valuesOf(["--token", "-abc"]).token).toBe("-abc");
    expect(valuesOf(["--token=--abc"]).token).toBe("--abc");
  });

  test("report a flag without a value, and do not take the next flag for its value", () => {
    expect(faultsOf(["--port", "--tags", "B", "--wait-time="])).toEqual([
      "port: flag --port has no value; it takes a whole number from 0 to 65535",
      "wait_time: flag --wait-time has no value; it takes a duration from 0s to 1h",
      'tags: flag --tags item 1 is "B"; it takes words',
    ]);
    expect(faultsOf(["--token"])[0]).toStartWith("token: flag --token has no value");
  });

  test("read a YAML list and comma-separated text as the same list", () => {
    expect(valuesOf([], {}, "tags: [a, b]").tags).toEqual(["a", "b"]);
    expect(valuesOf([], {}, "tags: a, b").tags).toEqual(["a", "b"]);
  });
});

describe("faults in settings", () => {
  test("are reported all at once, each with its key, its source and the accepted values", () => {
    const yaml = "prot: 1\nwait_time: {a: 1}\nport: [1]\ntags: [a, 5]\nsecret_words: 12\n";
    expect(faultsOf(["--prt=1", "--what"], { TOKEN: "a b", PORT: "x" }, yaml)).toEqual([
      "--prt: unknown flag; did you mean --port?",
      "--what: unknown flag",
      "prot: unknown key in file /s.yaml; did you mean port?",
      "wait_time: file /s.yaml key wait_time is a mapping; it takes a duration from 0s to 1h",
      "port: file /s.yaml key port is a list; it takes a whole number from 0 to 65535",
      "tags: file /s.yaml key tags is a list whose item 2 is not text in quotes; it takes words",
      "secret_words: file /s.yaml key secret_words is a number, and text needs quotes; it takes words",
      'port: environment variable PORT is "x"; it takes a whole number from 0 to 65535',
      "token: environment variable TOKEN is not usable; it takes one key of visible ASCII characters without blanks or commas",
    ]);
  });

  test("do not include a value that another source replaces", () => {
    expect(valuesOf(["--port=1"], { PORT: "tcp://10.0.0.1:80" }).port).toBe(1);
  });

  test("name a file that cannot be read, who named it, and the reason", () => {
    const readFile = () => {
      throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    };
    const result = readSettings(table, { argv: ["--config", "/none.yaml"], env: { PORT: "x" }, readFile }, program);
    expect(result).toMatchObject({
      faults: [
        "config: file /none.yaml, named by flag --config, cannot be read (ENOENT)",
        'port: environment variable PORT is "x"; it takes a whole number from 0 to 65535',
      ],
    });
  });

  test.each([
    ["port: [", "config: file /s.yaml is not valid YAML (Unexpected token in line 1)"],
    ["- port", "config: file /s.yaml must hold one mapping of keys to values"],
    ["just text", "config: file /s.yaml must hold one mapping of keys to values"],
    ["port: 1\n---\nport: 2", "config: file /s.yaml must hold one mapping of keys to values"],
    ["port: true", "port: file /s.yaml key port is true or false; it takes a whole number from 0 to 65535"],
    ["config_file: x", "config_file: unknown key in file /s.yaml"],
    ["__proto__: x", "__proto__: unknown key in file /s.yaml"],
  ])("include the YAML %p", (yaml, fault) => {
    expect(faultsOf([], {}, yaml)).toEqual([fault]);
  });

  test("never repeat a secret, whatever is wrong with it", () => {
    const key = "Hush-9f2c";
    const told = [
      ...faultsOf([`--secret-words=${key}`]),
      ...faultsOf(["--token", key, key], { SECRET_WORDS: `ok,${key}` }),
      ...faultsOf([`--tokn=${key}`, "--tokn", key, `-${key}`, "--", key]),
      ...faultsOf([], {}, `tokn: ${key}`),
      ...faultsOf([], {}, `secret_words: [${key}, 1]`),
      ...faultsOf([], {}, `token: {a: ${key}}`),
      ...faultsOf([], {}, `token: '${key}`),
      ...faultsOf([], {}, `token: @${key}`),
      ...faultsOf([], {}, key),
      ...faultsOf([], { TAGS: `https://user:${key}@host` }),
      ...faultsOf([], { TAGS: `https://host/?key=${key}` }),
    ];
    expect(told.length).toBeGreaterThan(10);
    expect(told.join("\n")).not.toContain(key);
    expect(told.join("\n")).not.toContain("9f2c");
  });

  test("cut a long wrong value", () => {
    expect(faultsOf([], { PORT: "9".repeat(5000) })[0]?.length).toBeLessThan(200);
  });

  test("count letters behind one dash as one fault", () => {
    expect(faultsOf(["-port=1"])).toEqual(["-port: unknown flag; did you mean --port?"]);
    expect(faultsOf(["-xyz"])).toEqual(["argument 1: unknown flag"]);
  });
});

describe("settings that need another one", () => {
  const pair = {
    url: unset(word(["there"]), { variable: "HUB_URL", absent: undefined, help: "The hub." }),
    name: setting(word(["a", "b"]), { variable: "HUB_NAME", needs: "HUB_URL", default: "a", help: "The name." }),
  };
  const remarks = (env: Sources["env"]): unknown => {
    const result = readSettings(pair, { argv: [], env, readFile: () => "" }, program);
    return result.kind === "read" && result.remarks;
  };

  test("are remarked on if they are given without it", () => {
    expect(remarks({ HUB_NAME: "b" })).toEqual([
      { name: "HUB_NAME", hint: "it has no effect without HUB_URL, which is not set" },
    ]);
    expect(remarks({ HUB_NAME: "b", HUB_URL: "there" })).toEqual([]);
    expect(remarks({})).toEqual([]);
  });
});

describe("texts for the operator", () => {
  test("list every flag, variable, default and meaning for --help, whatever else is wrong", () => {
    for (const argv of [["--help"], ["-h"], ["--nope", "--port=x", "--help"]]) {
      const text = textOf(argv);
      for (const each of Object.values(table)) {
        expect(text).toContain(`--${each.flag} <${each.kind.placeholder}>`);
        expect(text).toContain(`${each.variable}, default: ${each.fallback.says}`);
        expect(text).toContain(each.help);
      }
      for (const flag of ["--config <path>", "--version", "--print-config"]) expect(text).toContain(flag);
    }
  });

  test("need no file for --help and --version", () => {
    const readFile = () => {
      throw new Error("was read");
    };
    const sources = { env: { CONFIG_FILE: "/s.yaml" }, readFile };
    expect(readSettings(table, { argv: ["--version"], ...sources }, program)).toEqual({
      kind: "print",
      text: "sample 1.2.3",
    });
    expect(readSettings(table, { argv: ["--help"], ...sources }, program).kind).toBe("print");
  });

  test("report a value given to --help or --version", () => {
    expect(faultsOf(["--version=2"])).toEqual(["version: flag --version takes no value"]);
  });

  test("show each value with its source as YAML for --print-config, with masked secrets", () => {
    const text = textOf(
      ["--print-config", "--tags=a, b"],
      { SECRET_WORDS: "hush,quiet", WAIT_TIME: "1m" },
      "port: 9\ntoken: hush",
    );
    expect(text.split("\n")).toEqual([
      "config_file: /s.yaml  # environment variable CONFIG_FILE",
      "port: 9  # file /s.yaml key port",
      "wait_time: 1m  # environment variable WAIT_TIME",
      "tags: a,b  # flag --tags",
      'secret_words: "********,********"  # environment variable SECRET_WORDS',
      'token: "********"  # file /s.yaml key token',
    ]);
    expect(Bun.YAML.parse(text)).toMatchObject({ port: 9, tags: "a,b", wait_time: "1m" });
  });
});

describe("helpers of settings", () => {
  test.each([
    ["prot", "port"],
    ["queueSize", "queue-size"],
    ["REQUEST_TIMEOUT", "request-timeout"],
    ["request-timout", "request-timeout"],
    ["zzzz", undefined],
    ["x", undefined],
    ["", undefined],
  ])("find the name nearest to %p, which is %p", (name, near) => {
    expect(nearest(name, ["port", "queue-size", "request-timeout", "id"])).toBe(near);
  });

  test("freeze a value deeply", () => {
    const frozen = deepFreeze({ list: ["a"], inner: { deep: { n: 1 } } });
    expect([frozen, frozen.list, frozen.inner, frozen.inner.deep].every((each) => Object.isFrozen(each))).toBe(true);
  });
});
