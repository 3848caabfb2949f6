import { describe, expect, test } from "bun:test";
import { metadataUrl } from "../../../../src/wire/mcp-metadata.ts";
import { toPublicChallenge } from "../../../../src/worker/mcp/oauth-challenge.ts";

const RESOURCE = "https://moorage.example/api/mcp/id/tools";
const PUBLIC = 'resource_metadata="https://moorage.example/.well-known/oauth-protected-resource/api/mcp/id/tools"';

test.each([
  ['Bearer resource_metadata="http://127.0.0.1:1/x"', `Bearer ${PUBLIC}`],
  [
    'Bearer scope="a b", resource_metadata="http://127.0.0.1:1/x", error="e"',
    `Bearer scope="a b", ${PUBLIC}, error="e"`,
  ],
  ["Bearer Resource_Metadata = http://127.0.0.1:1/x, error=e", `Bearer ${PUBLIC}, error=e`],
  ['Bearer resource_metadata="a\\"b,c", error="e"', `Bearer ${PUBLIC}, error="e"`],
  ['Bearer error_description="resource_metadata=\\"x\\""', 'Bearer error_description="resource_metadata=\\"x\\""'],
  ['Bearer x-resource_metadata="x"', 'Bearer x-resource_metadata="x"'],
  ['Bearer resource_metadata_uri="x"', 'Bearer resource_metadata_uri="x"'],
  ["Bearer", "Bearer"],
  [
    'DPoP algs="ES256", resource_metadata="a", Bearer resource_metadata="b"',
    `DPoP algs="ES256", ${PUBLIC}, Bearer ${PUBLIC}`,
  ],
])("%p becomes %p", (challenge, expected) => {
  expect(toPublicChallenge(challenge, RESOURCE)).toBe(expected);
});

describe("the metadata of a resource", () => {
  test.each([
    ["http://127.0.0.1:7777", "http://127.0.0.1:7777/.well-known/oauth-protected-resource"],
    ["http://127.0.0.1:7777/", "http://127.0.0.1:7777/.well-known/oauth-protected-resource"],
    ["https://a.example/mcp", "https://a.example/.well-known/oauth-protected-resource/mcp"],
    ["https://a.example/x/y?z=1", "https://a.example/.well-known/oauth-protected-resource/x/y?z=1"],
    ["nonsense", undefined],
  ])("at %p are at %p", (resource, expected) => {
    expect(metadataUrl(resource)).toBe(expected as string | undefined); // the table mixes both
  });
});
