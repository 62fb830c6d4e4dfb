# SPDX-License-Identifier: Apache-2.0

# What a checkout can do: make help.

SHELL    := /bin/bash
GO       ?= go
FUZZTIME ?= 30s
BENCH    ?= .
ROUNDS   ?= 5
VERSION  ?=
DIST     ?= dist
ARCHES   ?= amd64 arm64 armv7

# One static binary: no cgo, and nothing of the building machine in it.
BUILD := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w $(if $(VERSION),-X main.buildVersion=$(VERSION))'

.DEFAULT_GOAL := help
.PHONY: help demo build cross release reproducible deps check test bench microbench soak fuzz clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo "  FUZZTIME=$(FUZZTIME) is for each fuzz target, BENCH=$(BENCH) selects rows or benchmarks, ROUNDS=$(ROUNDS) is how often each is measured,"
	@echo "  VERSION=v1.2.3 names a release"

demo: build ## relay sample files through a policy on this machine and show the evidence
	bin/ftpgw demo

build: ## build bin/ftpgw
	$(BUILD) -o bin/ftpgw ./cmd/ftpgw

cross: ## build for linux amd64, arm64 and arm v7 into bin/
	GOOS=linux GOARCH=amd64 $(BUILD) -o bin/ftpgw-linux-amd64 ./cmd/ftpgw
	GOOS=linux GOARCH=arm64 $(BUILD) -o bin/ftpgw-linux-arm64 ./cmd/ftpgw
	GOOS=linux GOARCH=arm GOARM=7 $(BUILD) -o bin/ftpgw-linux-armv7 ./cmd/ftpgw

release: ## build VERSION into dist/, with its bill of materials (CycloneDX) and SHA256SUMS
	@set -eu; [ -n "$(VERSION)" ] || { echo "which release? make release VERSION=v1.2.3"; exit 1; }; \
	rm -rf "$(DIST)"; mkdir -p "$(DIST)"; \
	for arch in $(ARCHES); do \
	  name="ftpgw-$(VERSION)-linux-$$arch"; goarch=$$arch; goarm=; \
	  if [ $$arch = armv7 ]; then goarch=arm; goarm=7; fi; \
	  GOOS=linux GOARCH=$$goarch GOARM=$$goarm $(BUILD) -o "$(DIST)/$$name" ./cmd/ftpgw; \
	  $(GO) run ./internal/sbom "$(DIST)/$$name" "$(VERSION)" > "$(DIST)/$$name.cdx.json"; \
	done; \
	cd "$(DIST)"; sha256sum ftpgw-* > SHA256SUMS; cat SHA256SUMS

reproducible: ## build a release twice, in different directories and from nothing, and compare
	test/reproducible.sh

deps: ## install the servers and clients that the tests use, where missing
	test/install-deps.sh

check: ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l .) || exit 1; \
	if [ -n "$$out" ]; then echo "not formatted with gofmt:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

test: deps check cross ## everything: deps, check, cross, and all tests with -race
	CGO_ENABLED=1 $(GO) test -race -timeout 15m ./...

bench: ## measure the gateway against its peers, and write docs/performance.md where all rows are measured
	$(GO) test -count=1 -timeout 90m -v -run '^TestBenchmark$$' ./test/bench -args -full -rounds $(ROUNDS) -rows '$(BENCH)' \
	  $(if $(filter .,$(BENCH)),-write $(CURDIR)/docs)

microbench: ## run the benchmarks of single parts, none of the tests; ROUNDS times, for benchstat
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(ROUNDS) ./...

soak: ## break devices, sessions and the gateway itself by the thousand; hostile clients beside honest ones
	FTPGW_SOAK=1 $(GO) test -count=1 -timeout 60m -v -run 'TestKilledDevice|TestBrokenSessions|TestSpoolSurvivesKills|TestHostileClients' ./test
	FTPGW_SOAK=1 $(GO) test -count=1 -timeout 60m -v -run 'TestKill$$|TestKilledInMidAppend' ./audit ./test

# To make an input smaller that reached something new may take 100 runs. By the clock it takes up to a minute each, wherever two runs of one
# input are not alike, and in that time nothing new is tried.
fuzz: ## run every fuzz target for FUZZTIME
	@failed=; for package in $$($(GO) list ./...); do \
	  targets=$$($(GO) test -list '^Fuzz' $$package) || { echo "$$targets"; exit 1; }; \
	  for target in $$(grep '^Fuzz' <<< "$$targets"); do \
	    echo "== $$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$package || failed="$$failed $$package.$$target"; \
	  done; \
	done; \
	[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

clean: ## remove what the builds made
	rm -rf bin $(DIST)
