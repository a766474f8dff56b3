# Sallyport. `make help` lists what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := bin
DIST := dist
TAG ?= dev
# The proxy parses SQL with PostgreSQL's own grammar, in C: it needs cgo, and still
# links statically.
LDFLAGS := -s -w
STATIC := -tags netgo,osusergo -ldflags '$(LDFLAGS) -linkmode external -extldflags "-static"'
# For targets whose certificates are vouched for by the public authorities.
AUTHORITIES ?= $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt))
CLUSTER ?= dev
cluster := hack/cluster/cluster.sh

##@ Two commands

.PHONY: demo
demo: ## The main job on an embedded cluster, end to end, with real psql
	@hack/demo/demo.sh

.PHONY: test
test: ## Every test: unit, property, API server, PostgreSQL, end to end on a cluster
	hack/test.sh

##@ Develop

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install Debian packages that are missing, and build the control plane once
	hack/setup.sh
	hack/controlplane/build.sh >/dev/null

.PHONY: tools
tools: ## Build the pinned Go tools into bin/
	go build -C hack/tools -o ../../$(BIN)/ tool

.PHONY: generate
generate: tools ## Deep copies, apply configurations, CRDs and their reference, the control channel's code
	$(BIN)/controller-gen object:headerFile=hack/boilerplate.go.txt crd:maxDescLen=400 \
		applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/... output:crd:dir=config/crd/bases
	go generate ./internal/control/...
	go run ./hack/apidoc

.PHONY: build
build: ## Build every binary into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/manager ./cmd/reader ./cmd/kubectl-access ./cmd/kubectl-approve
	CGO_ENABLED=1 go build -trimpath $(STATIC) -o $(BIN)/ ./cmd/proxy
	ln -sf kubectl-access $(BIN)/kubectl_complete-access
	ln -sf kubectl-approve $(BIN)/kubectl_complete-approve

.PHONY: images
images: build ## Build the images as archives in dist/, without a container engine (Dockerfile is for those who have one)
	mkdir -p $(DIST)
	for name in manager proxy reader; do \
		hack/images/images.sh build --name sallyport.local/$$name:$(TAG) --output $(DIST)/$$name.tar --file $(BIN)/$$name:/$$name \
			$(if $(AUTHORITIES),--file $(AUTHORITIES):/etc/ssl/certs/ca-certificates.crt:644); \
	done

.PHONY: lint
lint: tools ## golangci-lint, Kube API Linter, shellcheck-free shell syntax
	$(BIN)/golangci-lint run ./...
	$(BIN)/golangci-lint-kube-api-linter run -c .golangci-kal.yml ./api/...
	for script in $$(git ls-files '*.sh' .ci/run); do bash -n $$script; done

.PHONY: verify
verify: ## Generated files are fresh, lint, layers, links in the docs
	hack/verify.sh

##@ Test

.PHONY: test-unit
test-unit: setup ## Tests that need no cluster (they start API servers and PostgreSQL themselves)
	hack/test.sh unit

.PHONY: test-e2e
test-e2e: ## End-to-end tests on an embedded cluster, or on KUBECONFIG
	hack/test.sh e2e

.PHONY: fuzz
fuzz: ## Every fuzzer, FUZZTIME each (1m)
	hack/fuzz.sh

.PHONY: fuzz-mask
fuzz-mask: ## Ten million masked values (VALUES), asked for in every way there is: none may come out
	hack/fuzz-mask.sh

.PHONY: oracle
oracle: ## What STATEMENTS (20000) were said to touch, beside what PostgreSQL really touched
	hack/oracle.sh

.PHONY: test-drivers
test-drivers: ## The own tests of pgx and lib/pq, directly and through the proxy, on PostgreSQL 15 and 18
	hack/test-drivers.sh

.PHONY: bench-postgres
bench-postgres: ## What the PostgreSQL engine costs, as ratios to a bare relay (BENCH="--rounds 9" for more)
	hack/bench-postgres.sh --publish docs/benchmarks.md $(BENCH)

.PHONY: bench-recording
bench-recording: ## What each durability costs on a volume and in a bucket, as ratios to no recording
	hack/bench-postgres.sh --recording --publish docs/benchmarks.md $(BENCH)

.PHONY: bench-ssh
bench-ssh: ## What the SSH engine costs, as ratios to a plain relay and to no proxy
	hack/bench-ssh.sh --publish docs/benchmarks.md $(BENCH)

.PHONY: bench-ends
bench-ends: ## How soon each kind of SSH client ends when its task is closed (at most a second)
	hack/bench-ends.sh

.PHONY: bench-lifecycle
bench-lifecycle: ## Over 30 tasks: approve to first row, close to last byte, close to proof, request to ready
	hack/bench-lifecycle.sh

.PHONY: s3
s3: ## Build the S3 server of the tests
	hack/s3/build.sh >/dev/null

##@ Cluster

.PHONY: cluster-up
cluster-up: ## An embedded single-node cluster (CLUSTER=dev)
	hack/setup.sh
	$(cluster) up --name $(CLUSTER)

.PHONY: cluster-down
cluster-down: ## End it, and remove every trace
	$(cluster) down --name $(CLUSTER)

.PHONY: install
install: images ## Install Sallyport on the cluster CLUSTER, or on KUBECONFIG
	hack/install.sh $(CLUSTER)

.PHONY: demo-down
demo-down: ## End the demo's cluster, and remove every trace
	@hack/demo/down.sh
