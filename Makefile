# Every target says in "make help" what it does. Needs Go, gcc (SQLite is C) and make.

GO        ?= go
BIN       := bin/callward
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS   := -X main.version=$(VERSION)
FUZZTIME  ?= 20s
BENCH     ?=
ARGS      ?=
# Packages whose tests start a real Asterisk: they run after the others, one at a time.
E2E       := ./test/e2e/... ./internal/lab/...

export CGO_ENABLED := 1

.DEFAULT_GOAL := help
.PHONY: help build demo test unit e2e check vet arch vuln bench fuzz cover clean tools

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tools:
	@command -v $(GO) >/dev/null || { echo "make: go is not in PATH: install Go 1.26 or newer, see https://go.dev/doc/install" >&2; exit 1; }
	@command -v "$${CC:-gcc}" >/dev/null || { echo "make: no C compiler, which SQLite needs: apt-get install gcc, or set CC" >&2; exit 1; }

build: tools ## the binary, bin/callward
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/callward

demo: build ## one whole call on a real Asterisk; ARGS="--stay" keeps it running, ARGS="--json" for machines
	@$(BIN) demo $(ARGS)

test: tools ## everything: the checks, all tests with the race detector, the real Asterisk included
	$(MAKE) check
	$(MAKE) unit
	$(MAKE) e2e

unit: tools ## all tests that need no Asterisk, with the race detector
	$(GO) test -race -timeout 10m $$($(GO) list ./... | grep -v -e /test/e2e -e /internal/lab)

e2e: tools ## the tests on a real Asterisk, fetched if it is not there yet
	$(GO) test -race -p 1 -parallel 4 -timeout 30m $(E2E)

check: tools vet arch vuln ## format, vet, staticcheck, known vulnerabilities, the arrows between packages

vet:
	@bad=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); if [ -n "$$bad" ]; then echo "make: not formatted, run gofmt -w on:" >&2; echo "$$bad" >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

arch:
	$(GO) test -timeout 5m ./test/arch/...

# A vulnerability fails the check. A database that cannot be reached does not, but is never passed over in silence.
vuln:
	@out=$$(timeout 300 $(GO) tool govulncheck ./... 2>&1); rc=$$?; \
	if [ $$rc -eq 0 ]; then echo "govulncheck: no known vulnerability is reachable"; \
	elif [ $$rc -eq 3 ]; then echo "$$out"; exit 3; \
	elif echo "$$out" | grep -q -e 'fetching vulnerabilities' -e 'dial tcp' -e 'HTTP GET'; then \
	  echo "!!! NOT CHECKED: govulncheck could not reach its database. Run \"make vuln\" where it can. !!!"; \
	else echo "$$out"; exit $$rc; fi

bench: tools ## the benchmarks behind docs/performance.md, one by one, and a table; BENCH="-only policy -calls 30"
	$(GO) run ./test/bench/report $(BENCH)

fuzz: tools ## every fuzz target for a short while; FUZZTIME=5m
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$pkg; \
	  done; \
	done

cover: tools ## coverage of all tests that need no Asterisk, as coverage.out and a total
	$(GO) test -coverprofile coverage.out -coverpkg ./... -timeout 15m $$($(GO) list ./... | grep -v -e /test/e2e -e /internal/lab)
	$(GO) tool cover -func coverage.out | tail -1

clean: ## what these targets made here; fetched packages stay in the user's cache
	rm -rf bin run coverage.out
