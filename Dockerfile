# One image for app, worker and the build of the guest; docker-compose.yml says which.
FROM node:22-bookworm-slim

# What `mom image build` uses. The running app and workers use none of it.
RUN apt-get update \
  && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    arch-test ca-certificates mmdebstrap seabios tini xz-utils \
  && rm -rf /var/lib/apt/lists/*

WORKDIR /mom
COPY package.json package-lock.json .npmrc ./
RUN npm install --no-save --omit=dev --ignore-scripts --no-audit --no-fund
COPY slack-manifest.json ./
COPY bios bios
COPY demo demo
COPY images images
COPY relay relay
COPY src src
COPY workers workers
# The command line knows the bench's names.
COPY test/bench/names.ts test/bench/names.ts

# The second: where sources are kept without their types.
RUN mkdir -p /data node_modules/.cache && chown node:node /data node_modules/.cache
ENV MOM_DATA_DIR=/data
VOLUME /data
USER node
ENTRYPOINT ["tini", "--", "node", "src/cli/main.js"]
CMD ["--help"]
