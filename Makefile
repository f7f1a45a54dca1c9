# Two commands do nearly all: `make run` to see Pombo at work on this machine, `make test` to
# check everything. Whatever they need is installed into .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Where `make run` listens: ADDRESS takes an IPv6 address in brackets.
export ADDRESS ?= 127.0.0.1
export PORT ?= 5005
export PROMETHEUS_PORT ?= 9090

# How many hosts `make demo` simulates.
HOSTS ?= 10000

# How long `make fuzz` runs each fuzzer, and which ones: all without FUZZ.
FUZZ_SECONDS ?= 300
FUZZ ?=

# Three files of tests at the same time: most of them wait for reports, scrapes and pages.
PARALLEL := --numprocesses=3 --dist=loadfile

PACKAGES := wire cli agent exporter

# What running needs, and what its packages are built with; tests need more.
RUNNING := build agent exporter
CHECKED := $(PACKAGES) grafana tests docs/generate bench demo faults distribution

.PHONY: install develop run demo dist images bench bench-full peers measure-page faults rig test \
	test-all coverage fuzz corpus programs audit lint types verify-types format hooks docs pictures lock \
	release clean

# What running needs.
install: $(VENV)/running

# What tests, documents and the benchmark need.
develop: $(VENV)/development

$(VENV)/running: $(RUNNING:%=locks/%.txt) $(PACKAGES:%=%/pyproject.toml) VERSION
	tools/need 'the venv module of $(PYTHON)' python3-venv $(PYTHON) -c 'import ensurepip, venv'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes $(RUNNING:%=-r locks/%.txt)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation $(PACKAGES:%=-e ./%)
	touch $@

$(VENV)/development: locks/development.txt $(VENV)/running
	$(BIN)/python -m pip install --quiet --require-hashes -r locks/development.txt
	touch $@

run: install
	@exec tools/run

# A bad network, two exporters that can be killed, and 10,000 simulated hosts: docs/demo.md.
demo: install
	tools/need Prometheus prometheus prometheus --version
	@exec $(BIN)/python -m demo --hosts=$(HOSTS)

# What users install, into dist/: docs/install.md lists it.
dist: develop
	tools/need dpkg-deb dpkg dpkg-deb --version
	tools/need strip binutils strip --version
	$(BIN)/python -m distribution wheels onefile deb

# Images of both programs, by Docker or podman. The exporter's has the one-file agents of dist/.
images: develop
	$(BIN)/python -m distribution images

test: programs lint
	$(BIN)/pytest $(PARALLEL) -m 'not slow'

# With the tests that are marked slow. Faults at their full size need the machine for themselves.
test-all: programs lint verify-types
	tools/need QEMU qemu-user-static qemu-aarch64-static --version
	$(BIN)/pytest $(PARALLEL) --ignore=tests/integration/test_faults.py --ignore=tests/cluster
	$(BIN)/pytest tests/integration/test_faults.py tests/cluster

# Which lines and branches the tests reach, in the programs that they start too; fails below the floor
# in pyproject.toml. Not a part of `make test`, since all that runs is traced and takes longer. Tests
# of what something costs would measure the tracing.
coverage: programs develop
	rm -rf .coverage
	$(BIN)/coverage run -m pytest $(PARALLEL) -m 'not slow and not costs'
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Looks for faults in what strangers can send, for FUZZ_SECONDS with each fuzzer, or with those in
# FUZZ alone. `make test` does it for some seconds. docs/fuzzing.md says more.
fuzz: develop
	@PYTHONPATH=.:tests $(BIN)/python -m fuzz.campaign $(FUZZ_SECONDS) $(FUZZ)

# Adds what `make fuzz` has found to the corpus in the repository, and makes that small again.
corpus: develop
	PYTHONPATH=.:tests $(BIN)/python -m fuzz.corpus $(FUZZ)

# The tests start real Prometheus servers, a node_exporter to compare with, a browser, and nc as
# the smallest agent. Valgrind counts the instructions that the budget bounds. Faketime sets the
# clock of an agent. Podman builds the images and runs the services of docker-compose.yml; mmdebstrap
# makes the base image. Systemd runs the units; lintian checks the Debian packages. BusyBox, wget and
# curl run the installer, each in turn.
programs:
	tools/need prometheus prometheus prometheus --version
	tools/need promtool prometheus promtool --version
	tools/need Alertmanager prometheus-alertmanager prometheus-alertmanager --version
	tools/need VictoriaMetrics victoria-metrics sh -c 'command -v victoria-metrics vmagent'
	tools/need node_exporter prometheus-node-exporter prometheus-node-exporter --version
	tools/need chromium chromium chromium --version
	tools/need nc netcat-openbsd sh -c 'command -v nc'
	tools/need busybox busybox busybox true
	tools/need wget wget wget --version
	tools/need curl curl curl --version
	tools/need valgrind valgrind valgrind --version
	tools/need faketime faketime faketime --version
	tools/need ip iproute2 ip -V
	tools/need iptables iptables iptables --version
	tools/need dbus-daemon dbus-daemon dbus-daemon --version
	tools/need newuidmap uidmap sh -c 'command -v newuidmap'
	tools/need systemd systemd systemd-analyze --version
	tools/need runc runc runc --version
	tools/need podman podman podman --version
	tools/need mmdebstrap mmdebstrap mmdebstrap --version
	tools/need strip binutils strip --version
	tools/need lintian lintian lintian --version

# Whether a vulnerability is known of a pinned package. It asks the index of the packages.
audit:
	test -x $(VENV)/audit/bin/python || $(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet pip-audit
	$(VENV)/audit/bin/pip-audit $(patsubst %,--requirement=%,$(wildcard locks/*.txt)) \
		--require-hashes --disable-pip --strict --progress-spinner=off

lint: develop
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(MAKE) --no-print-directory types

types: develop
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.10 -p pombo_wire -p pombo_cli -p pombo_agent
	$(BIN)/mypy grafana tests docs/generate bench demo faults distribution

# Whether the types of what others may import are complete, as their type checkers see it. It has an
# environment of its own, for it brings Node.js.
verify-types: develop
	test -x $(VENV)/types/bin/python || $(PYTHON) -m venv $(VENV)/types
	$(VENV)/types/bin/python -m pip install --quiet basedpyright
	for package in pombo_wire pombo_cli; do \
		PATH=$(abspath $(BIN)):$$PATH VIRTUAL_ENV=$(abspath $(VENV)) \
			$(VENV)/types/bin/basedpyright --verifytypes $$package --ignoreexternal || exit; \
	done

format: develop
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)

# Lets `git commit` check what .pre-commit-config.yaml lists.
hooks: develop
	$(BIN)/prek install

# Some minutes, and with bench-full some three hours; nothing else should run meanwhile.
bench: develop peers
	$(BIN)/python -m bench

bench-full: develop peers
	$(BIN)/python -m bench --full
	$(BIN)/python -m bench --full --fleet=few ingest scrape under_load memory
	$(BIN)/python -m bench --full --fleet=unlike ingest scrape under_load memory

# The servers that the benchmark compares Pombo with.
peers:
	tools/need prometheus prometheus prometheus --version
	tools/need node_exporter prometheus-node-exporter prometheus-node-exporter --version
	tools/need 'the Pushgateway' prometheus-pushgateway prometheus-pushgateway --version
	tools/need collectd collectd-core collectd -h
	for library in libmicrohttpd12 libprotobuf-c1; do \
		tools/need "collectd's $$library" $$library dpkg --status $$library; \
	done

# What the live page costs a browser, with 2,000 hosts; nothing else should run meanwhile.
measure-page: develop
	$(BIN)/python -m bench.cases.browser

# Each fault at its full size, in some minutes; writes docs/reliability.md. Nothing else should run
# meanwhile.
faults: develop
	tools/need ip iproute2 ip -V
	$(BIN)/python -m faults

# Kills parts of the cluster in deploy/cluster, twenty times each, in some 20 minutes; writes its
# section of docs/reliability.md. Nothing else should run meanwhile.
rig: develop
	tools/need ip iproute2 ip -V
	tools/need iptables iptables iptables --version
	tools/need prometheus prometheus prometheus --version
	tools/need VictoriaMetrics victoria-metrics sh -c 'command -v victoria-metrics vmagent'
	$(BIN)/python -m faults.cluster

# The generated documents, and the site of all of them in site/, which fails where a link does.
docs: develop
	cp agent/pombo-agent.service exporter/pombo_exporter/installer/
	$(BIN)/python docs/generate/openapi.py > docs/openapi.json
	$(BIN)/python docs/generate/severity.py > docs/severity.md
	$(BIN)/python docs/generate/columns.py > wire/pombo_wire/columns.py
	$(BIN)/python docs/generate/families.py > wire/pombo_wire/families.py
	PYTHONPATH=tests $(BIN)/python docs/generate/collectors.py \
		> exporter/pombo_exporter/metrics/collectors.py
	PYTHONPATH=.:tests $(BIN)/python docs/generate/metrics.py > docs/metrics.md
	$(BIN)/python docs/generate/settings.py > docs/settings.md
	$(BIN)/python docs/generate/sizing.py --write
	$(BIN)/python docs/generate/vectors.py docs/wire-vectors
	$(BIN)/python docs/generate/sealed_vectors.py > docs/wire-vectors/sealed.json
	$(BIN)/mkdocs build --quiet

# Screenshots of the status page in pictures/, of simulated hosts, some minutes; those in README.md
# are made of them.
pictures: develop
	tools/need chromium chromium chromium --version
	tools/need pngquant pngquant pngquant --version
	PYTHONPATH=tests $(BIN)/python docs/generate/screenshots.py

# Pins the newest versions that the packages and tests/requirements.txt allow, for every platform.
# Agents come first, since they run on an older Python, for which some pins are of their own.
PIN = $(BIN)/uv pip compile - --universal --generate-hashes --quiet \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	$(PACKAGES:%=--no-emit-package pombo-%)
SAME := --constraint locks/development.txt

lock: develop
	printf './%s\n' wire cli 'agent[dbus]' | $(PIN) --upgrade \
		--python-version 3.10 --output-file locks/agent.txt
	printf './%s\n' $(PACKAGES) | $(PIN) tests/requirements.txt --upgrade \
		--constraint locks/agent.txt --python-version 3.11 --output-file locks/development.txt
	printf './%s\n' wire cli exporter | $(PIN) $(SAME) \
		--python-version 3.11 --output-file locks/exporter.txt
	printf '%s\n' editables hatchling | $(PIN) $(SAME) \
		--python-version 3.11 --output-file locks/build.txt

# Builds and checks what the tag at HEAD says, and prints how to publish it: docs/releasing.md.
release: develop
	$(BIN)/python -m distribution.release

clean:
	rm -rf $(VENV) .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
