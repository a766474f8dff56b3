# The three images, for those who have a container engine; make images builds the same
# without one.
#
#   docker build --target manager --tag example/sallyport/manager:dev .
#   docker build --target proxy   --tag example/sallyport/proxy:dev .
#   docker build --target reader  --tag example/sallyport/reader:dev .
#
# BASE may be any image that runs a static binary: nothing of it is used.
ARG BUILD=golang:1.26-bookworm
ARG BASE=scratch

FROM ${BUILD} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY api api
COPY cmd cmd
COPY config/admission config/admission
COPY controllers controllers
COPY internal internal
COPY proxy proxy
# The proxy parses SQL with PostgreSQL's own grammar, in C: cgo, and still static.
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /out/ ./cmd/manager ./cmd/reader && \
    CGO_ENABLED=1 go build -trimpath -tags netgo,osusergo \
        -ldflags '-s -w -linkmode external -extldflags "-static"' -o /out/ ./cmd/proxy

FROM ${BASE} AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Nobody. Nothing here writes to the root file system.
USER 65532:65532

FROM base AS manager
COPY --from=build /out/manager /manager
ENTRYPOINT ["/manager"]

FROM base AS proxy
COPY --from=build /out/proxy /proxy
ENTRYPOINT ["/proxy"]

FROM base AS reader
COPY --from=build /out/reader /reader
ENTRYPOINT ["/reader"]
