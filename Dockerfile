# The single executable and the few libraries that it needs, in an image with nothing else: 125 MB, 45 MB compressed.
# No shell and no package manager are in it, and nothing in it is written to but /data.

FROM node:26-bookworm-slim AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends binutils ca-certificates libatomic1 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY src ./src
COPY packaging ./packaging
RUN npm run build:binary && sh packaging/docker/root.sh dist/castellan /image

FROM scratch
COPY --from=build /image /
# A volume that is new takes its owner from here.
COPY --from=build --chown=65532:65532 --chmod=700 /image/data /data
USER 65532:65532
# Here is castellan.yaml, if there is one, and so ./data, unless it says otherwise, is /data.
WORKDIR /
VOLUME /data
EXPOSE 80 443
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=1s CMD ["/usr/bin/castellan", "health", "--storage", "/data"]
ENTRYPOINT ["/usr/bin/castellan"]
CMD ["run"]
