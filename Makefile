# Kaizen. Go, make and git are all it takes; `make help` lists the targets.

GO      ?= go
CONFIG  ?=
DATA    ?=
EVALFLAGS ?=
CHARTERFLAGS ?=
FUZZTIME ?= 1m
CRASH_ROUNDS ?= 200
CRASH_TRIALS ?= 60
BENCHTIME ?= 1s

# What runs under the race detector in `make test`: whatever starts goroutines,
# and the rules they share. The rest has none, and is several times faster without.
RACED  = ./cmd/... ./gateway/... ./fanout/... ./quorum/... ./store/...
PLAIN  = ./bench/... ./scoring/...

# The race detector needs a C compiler.
RACE := $(shell $(GO) env CGO_ENABLED | grep -q 1 && command -v "$$($(GO) env CC | cut -d' ' -f1)" >/dev/null 2>&1 && echo -race)

.PHONY: build run test race fuzz fuzz-short crash bench interop observe clients gobench eval charter-eval charter-train lint vuln smoke check clean help

build:      ## compile ./kaizen
	$(GO) build -o kaizen ./cmd/kaizen

run: build  ## build, and serve on 127.0.0.1:8080 with eight simulated companions (CONFIG=file: as that says)
	exec ./kaizen serve $(if $(CONFIG),--config "$(CONFIG)")

test:       ## all tests, with the race detector where goroutines are
	$(if $(RACE),,@echo "no C compiler: testing without the race detector")
	$(GO) test $(RACE) $(RACED)
	$(GO) test $(PLAIN)

race:       ## all tests with the race detector
	$(GO) test -race ./...

fuzz:       ## every fuzz target for FUZZTIME (1m)
	.ci/fuzz $(FUZZTIME)

fuzz-short: ## fuzz targets for a few seconds each, as many as go into a minute
	.ci/fuzz 5s 60

crash:      ## kill the gateway under load, CRASH_ROUNDS (200) times; crash, fail and damage the stores, CRASH_TRIALS (60) times each
	@command -v strace >/dev/null || { echo "strace is not there, and fails system calls here: apt-get install strace"; exit 1; }
	KAIZEN_CRASH_ROUNDS=$(CRASH_ROUNDS) $(GO) test -count=1 -v -timeout 60m -run '^TestKilled' ./cmd/kaizen
	KAIZEN_CRASH_TRIALS=$(CRASH_TRIALS) $(GO) test -count=1 -timeout 60m -run 'Crash|Failed|Killed|Damage|Guard' ./store/ledger
	$(GO) test -count=1 -timeout 60m -run 'Crash|Failed|Damage' ./store ./store/vault ./store/witness

bench: build ## the gateway and the ledger against their floors, on this machine (25 minutes)
	./kaizen bench
	cd bench/interop && $(GO) run ./ledgerbench

interop:    ## the ledger judged by other people's code (a module of its own: bench/interop)
	cd bench/interop && $(GO) vet ./... && "$$(cd ../.. && $(GO) tool -n staticcheck)" ./... && $(GO) test ./...

observe:    ## the gateway watched by a real OpenTelemetry Collector and Prometheus (a module of its own: bench/observe)
	@command -v prometheus >/dev/null && command -v promtool >/dev/null || { echo "prometheus and promtool are not there: .ci/prometheus unpacks them from Debian's package"; exit 1; }
	cd bench/observe && $(GO) vet ./... && "$$(cd ../.. && $(GO) tool -n staticcheck)" ./... && $(GO) test -count=1 -timeout 20m ./...

clients:    ## other people's clients ask the gateway, and their types are its companions (bench/clients; needs npm and curl)
	@for tool in npm curl; do command -v $$tool >/dev/null || { echo "$$tool is not there: apt-get install $$tool"; exit 1; }; done
	cd bench/clients/node && { test node_modules/.package-lock.json -nt package-lock.json || npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; }
	cd bench/clients && $(GO) vet ./... && "$$(cd ../.. && $(GO) tool -n staticcheck)" ./... && $(GO) test -count=1 ./...

gobench:    ## benchmarks of each stage (BENCHTIME=1s)
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) ./...

eval: build ## accuracy on the recorded replies in DATA (EVALFLAGS="--set gsm8k --labels 0,100": a part of it)
	@test -n "$(DATA)" || { echo "say where the recordings are: make eval DATA=folder"; exit 2; }
	./kaizen eval --data "$(DATA)" $(EVALFLAGS)

charter-eval: ## the charter scorer on the labelled texts in DATA (CHARTERFLAGS="--show jbb:bad": ids, scores and rules only)
	@test -n "$(DATA)" || { echo "say where the labelled texts are: make charter-eval DATA=folder"; exit 2; }
	$(GO) run ./bench/charter/eval --data "$(DATA)" $(CHARTERFLAGS)

charter-train: ## learn the charter scorer's linear model from the labelled texts in DATA, and set its thresholds
	@test -n "$(DATA)" || { echo "say where the labelled texts are: make charter-train DATA=folder"; exit 2; }
	$(GO) run ./bench/charter/train --data "$(DATA)" --data bench/charter/own $(CHARTERFLAGS)

lint:       ## formatting, vet, staticcheck, and which package imports which
	@unformatted="$$(gofmt -l .)"; test -z "$$unformatted" || { echo "not formatted:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -run 'Imports|Violations' ./cmd

vuln:       ## known vulnerabilities in what is called (asks vuln.go.dev)
	$(GO) tool govulncheck ./...

smoke:      ## start it as the README says, ask it, end it, verify its ledger
	.ci/smoke

check:      ## what CI runs
	.ci/run

clean:      ## remove what the build made; data stays
	rm -f kaizen
	$(GO) clean -testcache

help:       ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## */\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r target what; do printf '  make %-12s %s\n' "$$target" "$$what"; done
