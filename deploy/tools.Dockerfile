# The steps of a deployment that are not a process: make the NATS streams and consumers (what this image
# does when nothing else is asked of it), and print the config of the NATS server.
# Built from the root of the repository: docker build -f deploy/tools.Dockerfile .
FROM node:24.21.0-slim
ENV NODE_ENV=production
WORKDIR /app

COPY package.json package-lock.json .npmrc ./
COPY libs/contracts/package.json libs/contracts/
COPY libs/bus/package.json libs/bus/
COPY libs/service/package.json libs/service/
RUN npm ci --omit=dev --ignore-scripts --workspace libs/service

COPY libs/contracts/src libs/contracts/src
COPY libs/bus/src libs/bus/src
COPY libs/service/src libs/service/src

# A new volume takes over the owner of the folder it is mounted on.
RUN mkdir /nats-config && chown node:node /nats-config

USER node
STOPSIGNAL SIGTERM
CMD ["node", "libs/service/src/provision.ts"]
