# CI does not build this image, because it has no container engine. tests/project/project.test.ts checks that Bun's version is
# the one in .ci/run.
FROM oven/bun:1.4.5-slim AS packages
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production

# The npm package, which the server hands to workers that join.
FROM packages AS package
COPY bin ./bin
COPY src ./src
COPY views ./views
COPY tsconfig.json CHANGELOG.md LICENSE README.md ./
RUN bun src/packing/main.ts >package.tgz

FROM oven/bun:1.4.5-slim
# Bun reads tsconfig.json (for JSX) and bunfig.toml from the directory in which it starts.
WORKDIR /app
ENV NODE_ENV=production \
    # For the worker: Bun's fetch is limited to 256 requests at once by default, and reads this before the program starts.
    BUN_CONFIG_MAX_HTTP_REQUESTS=65336
COPY --from=packages /app/node_modules ./node_modules
COPY package.json bunfig.toml tsconfig.json LICENSE ./
COPY src ./src
COPY views ./views
COPY --from=package /app/package.tgz ./
# For DATA_DIR. A volume that is mounted here for the first time takes over the owner and the mode.
RUN mkdir -m 700 /data && chown 1000:1000 /data
# The files belong to root and are read-only to the program. The image's user `bun` is given by number, because Kubernetes
# cannot tell from a name that it is not root.
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=5s \
  CMD ["bun", "-e", "process.exit((await fetch(`http://127.0.0.1:${process.env.PORT || 8080}/healthz`)).ok ? 0 : 1)"]
ENTRYPOINT ["bun", "src/cli/main.ts"]
# The worker: docker run … moorage worker llm --server … --backend …
CMD ["serve"]
