# A thin front over CMake's presets (CMakePresets.json); `make help` lists what
# there is. What a preset builds lands in build/<preset>/.

SWEEP ?= default
RESULTS ?=
PEERS ?=
SAVE ?=
AGAINST ?=
RUN ?=
SECONDS ?= 600
BASE ?=
GATE ?=
SPEED ?= 1
STRESS ?= 2m
JOBS ?= $(shell nproc)

# Tests wait as much as they compute.
TEST_JOBS ?= $(shell expr $(JOBS) + 2)

# The tree is formatted with clang-format 14; another version serves, but may
# see a few lines differently.
CLANG_FORMAT ?= $(shell command -v clang-format-14 || echo clang-format)

# With more than 28 bits of mmap randomisation (vm.mmap_rnd_bits), the run-times
# of older sanitizers die at start: "unexpected memory mapping". Where the
# kernel lets us, their tests therefore run without it.
FIXED_LAYOUT = $(shell setarch "$$(uname -m)" -R true 2>/dev/null && \
	echo 'setarch "$$(uname -m)" -R')

# $(call have,TOOL,OPTION): stop with one line when TOOL is not there; OPTION is
# what scripts/setup.sh needs to install it.
have = command -v $(firstword $(1)) >/dev/null || \
	{ echo "$(firstword $(1)) is not here: run scripts/setup.sh$(2)" >&2; exit 1; }

# The C and C++ files of the tree, the ones not yet added to git included.
sources = git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' '*.cc'

# What make lint looks at: the files that the clang build compiles, but for those
# with a planted bug.
compiled = build/clang/compile_commands.json
list_compiled = 'import json, sys; \
	print(*sorted({e["file"] for e in json.load(open(sys.argv[1])) \
	               if "/mutants/" not in e["file"]}), sep="\0", end="")'

.DEFAULT_GOAL := release
.PHONY: release test bench report gate ratios peers peers-test demo stress stress-chan stress-select mutants dev clang asan tsan \
	check-format format lint clean help

release: build-release ## build everything (the default)

test: build-release ## build everything and run all tests
	ctest --preset release -j $(TEST_JOBS)

bench: build-release ## measure: run the sweep SWEEP=quick|default|full|load|floors|heartbeat|mapreduce|pairs|patterns|pub_sub|rate_limiting|resource_pool|semaphore|singleflight|supervisor|timeout_cancellation|worker_pool into results/ (or RESULTS=folder), PEERS=all|NAME,... beside our channels, SAVE=NAME AGAINST=NAME to compare with later
	scripts/sweep.py --sweep $(SWEEP) $(if $(RESULTS),--results "$(RESULTS)") $(if $(PEERS),--peers "$(PEERS)") $(if $(SAVE),--save "$(SAVE)") $(if $(AGAINST),--against "$(AGAINST)")

report: ## write the report of a measured run again: RUN=results/<folder>
	@test -n "$(RUN)" || { echo 'make report: which run? RUN=results/<folder>' >&2; exit 2; }
	scripts/report.py "$(RUN)"

gate: ## compare this commit with BASE=commit, in some minutes on a quiet machine (docs/gate.md); CI calls scripts/gate.py, whose exit status says more
	@$(if $(BASE),,echo 'make gate needs BASE=commit' >&2; exit 1)
	@$(call have,cmake,)
	@$(call have,ninja,)
	scripts/gate.py --base "$(BASE)" $(GATE)

ratios: build-release ## measure the sweep patterns, and say whether they cost what they may against a hop and a loop
	scripts/sweep.py --sweep patterns $(if $(RESULTS),--results "$(RESULTS)")
	scripts/ratios.py $(if $(RESULTS),--results "$(RESULTS)")

peers: build-release ## measure our channels beside those of others into results/ (or RESULTS=folder); Go and Rust join in where found
	@bench/peers/build.sh
	scripts/peers.py $(if $(RESULTS),--results "$(RESULTS)")

peers-test: build-release ## check the channels of other libraries and the kernels in Go and Rust, where found (docs/peers.md)
	ctest --preset release -C peers -L '^peers$$' --no-tests=ignore
	@bench/peers/build.sh --test

demo: build-release ## show all patterns at work, SPEED=1 times as fast as they are
	build/release/cmp-pattern --all --speed $(SPEED)

stress: build-release build-perturb ## all checks and all stress of our channels for STRESS=2m, 10m, ...; with seeded delays too
	@stress/run.sh "$(STRESS)" build/release/weft build/perturb/weft

stress-chan: build-release ## stress every channel at random for SECONDS (default 600)
	build/release/weft stress chan --seconds=$(SECONDS)

stress-select: build-release ## stress selects over mixed channels at random for SECONDS (default 600)
	build/release/weft stress select --seconds=$(SECONDS)

mutants: ## plant bugs in our own code, and say what finds each: results/mutants/matrix.md (resumable)
	@$(MAKE) --no-print-directory build-release
	@test -f build/tsan/build.ninja || cmake --preset tsan
	@cmake --build --preset release --target mutants
	@cmake --build --preset tsan --target mutants
	scripts/mutants.py

dev: build-dev ## build for debugging and run all tests
	ctest --preset dev -j $(TEST_JOBS)

clang: build-clang ## build with clang, warnings as errors

asan: build-asan ## build with the address and undefined behaviour sanitizers, run all tests
	$(FIXED_LAYOUT) ctest --preset asan -j $(TEST_JOBS)

tsan: build-tsan ## build with the thread sanitizer, run all tests
	$(FIXED_LAYOUT) ctest --preset tsan -j $(TEST_JOBS)

check-format: ## say which files clang-format would change
	@$(call have,git,)
	@$(call have,$(CLANG_FORMAT), --dev)
	@$(sources) | xargs -0 -r $(CLANG_FORMAT) --dry-run -Werror

format: ## let clang-format change them
	@$(call have,git,)
	@$(call have,$(CLANG_FORMAT), --dev)
	@$(sources) | xargs -0 -r $(CLANG_FORMAT) -i

lint: ## look for mistakes with clang-tidy and cppcheck
	@$(call have,clang-tidy, --dev)
	@$(call have,cppcheck, --dev)
	@$(MAKE) --no-print-directory build-clang
	@python3 -c $(list_compiled) $(compiled) | xargs -0 -r -n 1 -P $(JOBS) clang-tidy --quiet -p build/clang
	@cppcheck --quiet -j $(JOBS) --project=$(compiled) -i build/clang/mutants \
		--enable=warning,performance,portability --inline-suppr --error-exitcode=1

clean: ## remove build/
	rm -rf build

help: ## list these
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='	' read -r name what; do printf 'make %-13s %s\n' "$$name" "$$what"; done

# build-<preset>: configure the first time and when the presets have changed (CMake
# itself sees to the rest of what it reads), then build.
build-%:
	@$(call have,cmake,)
	@$(call have,ninja,)
	@$(if $(filter clang,$*),$(call have,clang, --dev))
	@test build/$*/build.ninja -nt CMakePresets.json || cmake --preset $*
	@cmake --build --preset $*
