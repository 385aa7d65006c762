# Thin: what each target does stands in tools/, CMakePresets.json and the scripts that it calls.
.PHONY: test demo lint format header bench publish soak clean help

help: ## Says what there is
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST)

test: ## All tests of all layers
	tools/bootstrap test
	cmake --preset tests
	cmake --build --preset tests
	ctest --preset tests

demo: ## Records a real program, replays it, draws what it did
	tools/bootstrap demo
	tools/venv
	build/venv/bin/python examples/demo.py

lint: ## Every linter and type checker
	tools/bootstrap lint
	tools/venv
	tools/lint

format: ## Formats all sources
	tools/bootstrap lint
	tools/venv
	tools/format

header: ## Prints the C header anew from the Rust declarations
	cd rust && SLABHEAP_BLESS=1 DOCS_RS=1 cargo test --package slabheap-sys --test header

bench: ## The benchmark against other allocators; tables and pictures in build/bench
	tools/bench measure

publish: ## Puts what the last `make bench` measured into the documents
	tools/bench publish

soak: ## The long forms of the tests; PARTS="rust ..." for some of them
	tools/bootstrap soak
	tools/soak $(PARTS)

clean: ## Removes what was built
	rm -rf build
