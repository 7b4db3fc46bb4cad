# syntax=docker/dockerfile:1
# docker build --target api -t enterprise-access-api .
# docker build --target worker -t enterprise-access-worker .

FROM node:24.21.0-bookworm-slim AS base
WORKDIR /app
ENV NODE_ENV=production

# Only what .dockerignore lets through: no tests, no sandbox, no tools. Libraries name
# a compiler and types as their peers; they are of no use here.
FROM base AS api-files
COPY . .
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --workspace apps/api
RUN rm -rf apps/worker packages/bus tooling package-lock.json node_modules/typescript node_modules/@typescript \
    node_modules/@types/react node_modules/csstype \
  && find node_modules/@enterprise-access -xtype l -delete

FROM base AS worker-files
COPY . .
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --workspace apps/worker
RUN rm -rf apps/api tooling package-lock.json node_modules/typescript node_modules/@typescript \
    node_modules/@types/react node_modules/csstype \
  && find node_modules/@enterprise-access -xtype l -delete

FROM base AS api
ENV HOST=0.0.0.0 PORT=18270
COPY --from=api-files /app /app
USER node
EXPOSE 18270
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/ready`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "apps/api/src/main.ts"]

FROM base AS worker
ENV HOST=0.0.0.0 WORKER_PORT=18271 NODE_COMPILE_CACHE=/tmp/node-compile-cache
COPY --from=worker-files /app /app
USER node
# Compiled once, here: a worker starts sooner and does without the compiler, which would stay in its memory. Without its
# variables it refuses to start, as soon as everything is loaded.
RUN ! node apps/worker/src/main.ts 2>/dev/null
EXPOSE 18271
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.WORKER_PORT}/ready`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "apps/worker/src/main.ts"]
