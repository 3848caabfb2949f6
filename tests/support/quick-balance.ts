import { plugin } from "bun";

// Loaded before a server's program: the server waits seconds, and not a minute, before it tells workers to move.
const SHORT: Readonly<Record<string, string>> = {
  "QUIET_MS = 30_000": "QUIET_MS = 2000",
  "MIN_AGE_MS = 60_000": "MIN_AGE_MS = 1000",
};

plugin({
  name: "quick balance",
  setup(build) {
    build.onLoad({ filter: /src\/cluster\/(?:balance\/worker-balance|announcing\/moves)\.ts$/ }, async ({ path }) => {
      let contents = await Bun.file(path).text();
      for (const [long, short] of Object.entries(SHORT)) contents = contents.replace(long, short);
      return { contents, loader: "ts" };
    });
  },
});
