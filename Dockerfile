# The daemon alone: one static binary, no shell and no package manager, under a user without a name.
# docker build --build-arg VERSION=v1.2.3 --build-arg REVISION=$(git rev-parse HEAD) -t ringfence .

FROM golang:1.26 AS build
WORKDIR /src
# The modules before the sources: a change of code fetches nothing again.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
ARG REVISION=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION} -X main.revision=${REVISION}" -o /out/ringfence ./cmd/ringfence
# The default dataDir, a cache that may be lost; a volume on it saves the first fetch after a restart.
RUN mkdir -p /out/var/lib/ringfence && chmod 0700 /out/var/lib/ringfence

FROM scratch
# To trust the certificates of Git servers; source.tls.caFile adds to them.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /out/var/lib/ringfence /var/lib/ringfence
COPY --from=build /out/ringfence /ringfence
# By number: Kubernetes' runAsNonRoot cannot judge a name.
USER 65532:65532
ENTRYPOINT ["/ringfence"]
