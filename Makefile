# Every verb sets up .venv by itself; the only need is Python 3.11 or newer.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# An installed package has its bytecode; a checkout whose environment forbids to write it would compile every module
# of every process anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test lint type format simulate conformance end-to-end kubernetes bench release-proof generate image clean lock

# What conformance and end-to-end run against: model, local, or kubernetes (real etcd, kube-apiserver,
# kube-controller-manager and kube-proxy, which need Go to be built once; kube-proxy needs nftables to run).
CLUSTER ?= local
# What plays the Services of CLUSTER=kubernetes in the end-to-end tests: own, or kube-proxy, which plays whole
# releases alone. See docs/adr/0027.
PROXY ?= own
ON_KUBE_PROXY := $(addprefix tests/end_to_end/,test_kube_proxy.py operator/test_node_port.py \
  living_with_others/test_services.py::test_a_client_that_sticks_to_its_pod_never_sees_the_canary)
CONTAINER ?= podman

help: ## Show the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 24

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "serinus needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 ..." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) cannot make a virtual environment (on Debian: apt install python3-venv)" >&2; rm -rf $(VENV); exit 2; }
# The export is complete, so nothing is resolved: older pips refuse a pinned package whose extra another one asks for.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP) ## Watch a real canary release on a cluster made for it
	$(BIN)/python -m serinus demo

# What plays on real ports comes last and alone: clusters on one machine would meet on them.
test: $(STAMP) ## Run the tests that need nothing but Python
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not kubernetes and not slow" \
	  --cluster=model --cluster=local --ignore=tests/end_to_end -q
	$(BIN)/python -m pytest tests/end_to_end -m "not kubernetes and not slow" --cluster=local -q

simulate: $(STAMP) ## Play releases under simulated faults for about a minute
	$(BIN)/python -m serinus.simulation --seeds 100000 --seconds 15
	$(BIN)/python -m serinus.simulation --exhaustive --faults 2 --among calls
	$(BIN)/python -m serinus.simulation --exhaustive --faults 1 --among all

conformance: $(STAMP) ## Hold CLUSTER=model, local or kubernetes to what Kubernetes does
	$(BIN)/python -m pytest tests/conformance $(if $(filter kubernetes,$(CLUSTER)),tests/install -m kubernetes) --cluster=$(CLUSTER) -q

end-to-end: $(STAMP) ## Play whole releases under load on CLUSTER=local or kubernetes
ifeq ($(CLUSTER),kubernetes)
# The namespace has no way out, so what must be fetched is built before.
	$(BIN)/python -m tests.control_plane.build >/dev/null
	$(BIN)/python -m tests.control_plane.namespace \
	  $(BIN)/python -m pytest $(if $(filter kube-proxy,$(PROXY)),$(ON_KUBE_PROXY),tests/end_to_end) \
	  -m "kubernetes and not slow" --cluster=kubernetes --service-proxy=$(PROXY) -q -rA --no-header
else
	$(BIN)/python -m pytest tests/end_to_end -m "not kubernetes and not slow" --cluster=$(CLUSTER) -q
endif

kubernetes: $(STAMP) ## Start a real cluster in the foreground and print its kubeconfig
	$(BIN)/python -m tests.control_plane.run

bench: $(STAMP) ## Measure speed and memory
	for name in command_line decide middleware local_cluster balancer envoy envoy_weights; do $(BIN)/python -m benchmarks.$$name || exit 1; done
	$(BIN)/python -m benchmarks.operator --rows quick --runs 2

# On real Kubernetes only what needs it: who wrote what is in the audit log of a real API server.
release-proof: $(STAMP) ## Run the proofs of many minutes
	$(BIN)/python -m pytest tests -m slow --cluster=local -q -rA
	$(BIN)/python -m tests.control_plane.build >/dev/null
	$(BIN)/python -m tests.control_plane.namespace $(BIN)/python -m pytest tests/end_to_end/operator \
	  tests/end_to_end/test_kube_proxy.py -m "slow and kubernetes" --cluster=kubernetes --service-proxy=kube-proxy -q -rA

lint: $(STAMP) ## Check style, formatting and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

type: $(STAMP) ## Check the types
	$(BIN)/mypy

format: $(STAMP) ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: $(STAMP) ## Write deploy/ and the printed references from the code
	$(BIN)/python scripts/generate_command_reference.py
	$(BIN)/python scripts/generate_release_reference.py
	$(BIN)/python -m scripts.generate_install
	$(BIN)/python -m scripts.controller_requirements

image: $(STAMP) ## Build the controller's image with CONTAINER=podman or docker
	version=$$($(BIN)/python -c 'import serinus; print(serinus.__version__)') && \
	  $(CONTAINER) build --file Containerfile --build-arg VERSION=$$version --tag serinus:$$version .

clean: ## Remove what the other verbs made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov

lock: ## Export the hash-pinned requirements again (needs uv)
	uv export --quiet --no-emit-project --no-header --all-extras --all-groups --format requirements-txt -o requirements/dev.txt
	uv export --quiet --no-emit-project --no-header --all-extras --no-default-groups --format requirements-txt -o requirements/local.txt
	$(BIN)/python -m scripts.controller_requirements
