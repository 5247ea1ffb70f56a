# The service as an image: built in one stage, run in another that holds no compiler, no sources and no tests.
# Nothing secret goes in: every secret comes with the environment, or as a file, when a container starts.

FROM node:22-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY crypto/package.json crypto/
COPY miniprogram/client/package.json miniprogram/client/
COPY packages/verify/package.json packages/verify/
COPY service/package.json service/
COPY service/bin service/bin
# Only the packages that need their scripts run them; the others bring what they need.
RUN npm ci --ignore-scripts && npm rebuild better-sqlite3 esbuild
COPY . .
# The pages of the demo are for development.
RUN npm run build && rm -rf service/dist/pages/demo && npm prune --omit=dev --omit=optional --ignore-scripts

FROM node:22-bookworm-slim
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/crypto/package.json crypto/
COPY --from=build /app/crypto/dist crypto/dist
COPY --from=build /app/miniprogram/client/package.json miniprogram/client/
COPY --from=build /app/miniprogram/client/node_dist miniprogram/client/node_dist
COPY --from=build /app/packages/verify/package.json packages/verify/
COPY --from=build /app/packages/verify/dist packages/verify/dist
COPY --from=build /app/service/package.json service/
COPY --from=build /app/service/bin service/bin
COPY --from=build /app/service/dist service/dist
RUN mkdir -m 0700 /data && chown node:node /data
# NODE_ENV=production: a container that lacks a variable says so and ends, it never falls back on a default.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8787 MINISEAL_DATA=/data MINISEAL_DATABASE=sqlite:/data/miniseal.db
USER node
VOLUME /data
EXPOSE 8787
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# No shell in between, so that SIGTERM reaches the service.
ENTRYPOINT ["node", "service/bin/miniseal.js"]
CMD ["serve"]
