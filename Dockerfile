# The daemon alone: one static binary, the certificates of the public authorities and a passwd entry; no shell and no
# package manager, under a user with a number. The files are written by the program that makes the same image without an
# engine (.ci/release/image): what is in them, and why, stands there. On BuildKit the same arguments and the same Go give
# the same layers: SOURCE_DATE_EPOCH=$(git log -1 --format=%ct), --output with rewrite-timestamp=true.
#
# docker build --build-arg VERSION=v1.2.3 --build-arg REVISION=$(git rev-parse HEAD) -t ringfence .

# Releases name it by digest: --build-arg GO_IMAGE=golang@sha256:…
ARG GO_IMAGE=golang:1.26
FROM --platform=$BUILDPLATFORM $GO_IMAGE AS build
WORKDIR /src
# The modules before the sources: a change of code fetches nothing again.
COPY go.mod go.sum ./
COPY .ci/release/go.mod .ci/release/go.sum ./.ci/release/
RUN go mod download && cd .ci/release && go mod download
COPY . .
ARG VERSION
ARG REVISION
ARG SOURCE_DATE_EPOCH
ARG TARGETARCH
RUN go run -C .ci/release . files -o /out -arch "${TARGETARCH:-$(go env GOARCH)}" -version "$VERSION" -revision "$REVISION"

FROM scratch
COPY --from=build /out/ /
# By number: Kubernetes' runAsNonRoot cannot judge a name.
USER 65532:65532
ENTRYPOINT ["/ringfence"]
