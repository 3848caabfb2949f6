import { plugin } from "bun";

// Loaded before a server's program: the server speaks the versions of the protocols between servers that SPEAKS names, such as
// `1, 2`, in place of those of this program.
const speaks = process.env["SPEAKS"] ?? "";

plugin({
  name: "spoken versions",
  setup(build) {
    build.onLoad({ filter: /src\/cluster\/.*\.ts$/ }, async ({ path }) => {
      const source = await Bun.file(path).text();
      return { contents: source.replaceAll("[1, 1]", `[${speaks}]`), loader: "ts" };
    });
  },
});
