import { expect, test } from "bun:test";
import fc from "fast-check";
import { CacheSalts } from "../../../../src/plugins/llm/cache-salt.ts";

const salts = new CacheSalts(() => "secret");
const encoder = new TextEncoder();
const VLLM = { hostInfo: { backend_family: "vllm", backend_version: "0.19.1" } };
const SALT = /^[A-Za-z0-9_-]{43}$/;

const sent = (json: object, tenant: string, claim: Parameters<CacheSalts["salted"]>[2] = VLLM, by = salts) =>
  Buffer.from(by.salted(encoder.encode(JSON.stringify(json)), { tenant }, claim)).toString();
const saltIn = (text: string): unknown => JSON.parse(text).cache_salt;

test("the default tenant's requests stay as they are, byte for byte", () => {
  const body = encoder.encode('{ "model": "m", "cache_salt": "mine" }');
  expect(salts.salted(body, { tenant: "default" }, VLLM)).toBe(body);
});

test("only a vLLM that takes a salt gets one", () => {
  const isSalted = (hostInfo: Readonly<Record<string, string>>): boolean =>
    sent({ model: "m" }, "team", { hostInfo }).includes("cache_salt");
  for (const family of ["ollama", "llamacpp", "sglang"]) expect(isSalted({ backend_family: family })).toBe(false);
  expect(isSalted({})).toBe(false);
  for (const old of ["0.6.3", "0.9.0", "0.10.2rc1", "v0.10.0"])
    expect(isSalted({ backend_family: "vllm", backend_version: old })).toBe(false);
  for (const since of ["0.11.0", "0.11.1.dev3+g1", "v0.19.0", "1.0.0", "dev", ""])
    expect(isSalted({ backend_family: "vllm", backend_version: since })).toBe(true);
  expect(isSalted({ backend_family: "vllm" })).toBe(true);
});

test("each tenant has one salt for all its requests, which no other tenant and no other server has", () => {
  const mine = saltIn(sent({ model: "m" }, "a"));
  expect(mine).toMatch(SALT);
  expect(saltIn(sent({ model: "n", messages: [] }, "a"))).toBe(mine);
  expect(saltIn(sent({ model: "m" }, "b"))).not.toBe(mine);
  expect(saltIn(sent({ model: "m" }, "a", VLLM, new CacheSalts(() => "other")))).not.toBe(mine);
});

test("a client's salt divides its tenant's cache further, and cannot name another tenant's", () => {
  const victim = saltIn(sent({ model: "m" }, "victim"));
  const own = saltIn(sent({ model: "m", cache_salt: "x" }, "a"));
  expect(own).toMatch(SALT);
  expect(own).not.toBe(saltIn(sent({ model: "m" }, "a")));
  expect(own).not.toBe(saltIn(sent({ model: "m", cache_salt: "y" }, "a")));
  expect(saltIn(sent({ model: "m", cache_salt: "x" }, "a"))).toBe(own);
  expect(saltIn(sent({ model: "m", cache_salt: victim }, "a"))).not.toBe(victim);
  for (const cache_salt of [null, 5, "", { a: 1 }]) expect(saltIn(sent({ model: "m", cache_salt }, "a"))).toMatch(SALT);
});

test("however a client writes the field, the backend reads the tenant's salt", () => {
  for (const text of [
    '{"cache_salt":"x","model":"m","cache_salt":"y"}',
    '{"cache\\u005fsalt":"x","model":"m"}',
    ' {\n "model" : "m" , "cache_salt" : "x" } ',
  ]) {
    const body = Buffer.from(salts.salted(encoder.encode(text), { tenant: "a" }, VLLM)).toString();
    expect(saltIn(body)).toMatch(SALT);
  }
});

test("nothing else in a request changes", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
      const { cache_salt: _own, ...before } = JSON.parse(JSON.stringify({ ...fields, model: "m" }));
      const { cache_salt: salt, ...after } = JSON.parse(sent({ ...fields, model: "m" }, "a"));
      expect(after).toEqual(before);
      expect(salt).toMatch(SALT);
    }),
  );
});
