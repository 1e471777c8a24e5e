# SPDX-FileCopyrightText: The Quorate authors
# SPDX-License-Identifier: GPL-2.0-or-later

SHELL   := /bin/sh
GO      ?= go
DESTDIR ?=
PREFIX  ?= /usr

# A test that takes longer than this hangs.
TEST_TIMEOUT ?= 18m

BIN     := bin
# Tools are pinned in their own module; each is built once into bin/tools.
TOOLS   := $(BIN)/tools
TOOL_PACKAGES := github.com/bufbuild/buf/cmd/buf \
	github.com/golangci/golangci-lint/v2/cmd/golangci-lint \
	google.golang.org/protobuf/cmd/protoc-gen-go \
	google.golang.org/grpc/cmd/protoc-gen-go-grpc \
	mvdan.cc/gofumpt
LDFLAGS := -s -w

.PHONY: all build install uninstall demo test check bench fuzz generate verify clean tools vuln

all: build

build:
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/...

# install puts a built tree under DESTDIR; see docs/operations/install.md.
install: build
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' dist/install.sh

uninstall:
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' dist/install.sh remove

# demo starts three nodes on this machine; KEEP=1 leaves them running.
demo: build
	@test/demo/demo.sh

# test runs everything: packages and simulations, then, with the machine to
# themselves, real daemons on several nodes: never from the cache, which does not
# know of the programs that they build.
test:
	$(GO) test -timeout $(TEST_TIMEOUT) $$($(GO) list ./... | grep -v -e /test/e2e -e '/test/faults$$')
	$(GO) test -count=1 -p 1 -timeout $(TEST_TIMEOUT) ./test/e2e/... ./test/faults

# check is the gate of each commit: style, lint, race detector, generated code.
# Tests that run themselves as a program need not wait a second at each end for
# late races.
check: tools
	@out=$$($(TOOLS)/gofumpt -l $$(git ls-files '*.go' | grep -v '\.pb\.go$$')); \
	  if [ -n "$$out" ]; then echo "gofumpt wants changes in:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(TOOLS)/golangci-lint run ./...
	$(GO) test ./internal/arch
	GORACE=atexit_sleep_ms=0 $(GO) test -race -short $$($(GO) list ./... | grep -v /test/e2e)
	$(MAKE) --no-print-directory verify

# bench measures; QUORATE_REAL_SIMULATE names a crm_simulate to compare with, which
# takes minutes.
bench:
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m ./...

# fuzz gives each parser and decoder a while: FUZZTIME=1m make fuzz.
FUZZTIME ?= 10s
fuzz:
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; \
	done

generate: tools
	PATH="$(CURDIR)/$(TOOLS):$$PATH" buf generate
	$(GO) run ./cmd/quorate man docs/man/src docs/man

# verify regenerates into a scratch folder and fails on a difference.
verify: tools
	@PATH="$(CURDIR)/$(TOOLS):$$PATH"; export PATH; buf lint && \
	  tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	  buf generate -o "$$tmp" && \
	  (cd "$$tmp" && find proto -name '*.pb.go') | sort >"$$tmp/new" && \
	  git ls-files 'proto/*.pb.go' | sort >"$$tmp/old" && \
	  diff "$$tmp/old" "$$tmp/new" && \
	  while read -r f; do diff -q "$$f" "$$tmp/$$f" >/dev/null || { echo "$$f is not up to date: make generate"; exit 1; }; done <"$$tmp/new" && \
	  mkdir "$$tmp/man" && $(GO) run ./cmd/quorate man docs/man/src "$$tmp/man" && \
	  for f in "$$tmp"/man/*; do diff -q "$$f" "docs/man/$${f##*/}" >/dev/null || { echo "docs/man/$${f##*/} is not up to date: make generate"; exit 1; }; done

tools: $(TOOLS)/.built

$(TOOLS)/.built: tools/go.mod tools/go.sum
	@mkdir -p $(TOOLS)
	cd tools && GOBIN="$(CURDIR)/$(TOOLS)" $(GO) install $(TOOL_PACKAGES)
	@touch $@

# vuln asks the vulnerability database about what we link.
vuln:
	$(GO) tool -modfile=tools/go.mod govulncheck ./...

clean:
	rm -rf $(BIN)
