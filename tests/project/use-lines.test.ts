import { describe, expect, test } from "bun:test";
import { PROGRAM_IDS } from "../../views/client/use-facts.ts";
import { keyLines, useLines } from "../../views/client/use-lines.ts";

const PAGE = await Bun.file("docs/clients.md").text();
const lines = useLines({ origin: "https://your-server.example", model: "llama3", use: "chat", hasKeys: true });

describe("docs/clients.md shows what the page “Use it” shows", () => {
  test("for every program", () => {
    expect(lines.map(({ id }) => id)).toEqual([...PROGRAM_IDS]);
  });

  test.each(lines.flatMap(({ id, blocks }) => blocks.map(({ place, text }) => [id, place, text] as const)))(
    "%s, %s",
    (_id, _place, text) => {
      expect(PAGE.includes(`\n${text}\n`) || PAGE.includes(`\`${text}\``)).toBe(true);
    },
  );

  test.each(lines.filter(({ fields }) => fields.length > 0))("fields of $id", ({ fields }) => {
    for (const { label, value } of fields)
      expect(PAGE).toContain(`| ${label} | ${value === "" ? "your key" : `\`${value}\``} |`);
  });

  test("for the key", () => {
    expect(PAGE).toContain(keyLines(undefined)[0]?.text ?? "no line");
  });
});

describe("the lines", () => {
  const odd = { origin: "https://moorage.example", model: `it's "odd" $HOME`, hasKeys: true } as const;

  test.each(["chat", "embedding", "speech"] as const)("for %s quote a model's name for where it stands", (use) => {
    for (const { id, blocks } of useLines({ ...odd, use }))
      for (const { language, text } of blocks) {
        if (!text.includes("odd")) continue;
        const isQuoted =
          language === "sh" ? text.includes(`it'\\''s`) : text.includes(JSON.stringify(odd.model).slice(1, -1));
        expect([id, isQuoted]).toEqual([id, true]);
      }
  });

  test("name no variable for the key where the server asks for none", () => {
    for (const { id, blocks } of useLines({ ...odd, use: "chat", hasKeys: false }))
      for (const { text } of blocks) expect([id, text.includes("MOORAGE_KEY")]).toEqual([id, false]);
  });

  test("that put a made key into its variable quote it", () => {
    expect(keyLines("mk_a-b_C").map(({ text }) => text)).toEqual([
      "export MOORAGE_KEY=mk_a-b_C",
      "$env:MOORAGE_KEY = 'mk_a-b_C'",
    ]);
  });
});
