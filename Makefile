# See CONTRIBUTING.md for what each target is for.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHON

# What the tests start. Each is run from a private configuration, never as a service.
DEBIAN_PACKAGES := dovecot-imapd mailutils-imap4d dnsmasq-base iproute2 nftables openssl \
	openssh-client sudo debootstrap systemd-container util-linux busybox zsh fish samba samba-common-bin \
	nagios4-core nagios4-cgi icinga2-bin nagios-nrpe-server nagios-nrpe-plugin chromium poppler-utils \
	icingaweb2-module-director icingacli postgresql php-pgsql groff-base man-db \
	wine gcc-mingw-w64-x86-64 libfaketime

.PHONY: demo demo-nagios demo-recovery unit test test-packages test-kerberos lint check-install pyz completion man deb rpm release constraints bench bench-outage bench-recovery bench-reports soak docs clean

# The first stamp is what a user needs, the second adds what a developer needs.
$(VENV)/.run: setup.cfg pyproject.toml
	@tools/make-venv $(VENV) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@tools/make-venv $(VENV) --editable '.[dev]'
	@touch $@

demo: $(VENV)/.run
	@$(BIN)/python tools/demo.py $(HOST)

demo-nagios: $(VENV)/.dev
	@tools/debian-packages nagios4-core
	@$(BIN)/python tools/demo_nagios.py

demo-recovery: $(VENV)/.run
	@tools/debian-packages debootstrap systemd-container util-linux openssh-client
	@$(BIN)/python tools/demo_recovery.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The quick ones: no root, no Debian packages, no servers but our own on loopback.
unit: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m 'not slow' tests/unit

test: $(VENV)/.dev
	@tools/debian-packages $(DEBIAN_PACKAGES)
	IMAP4_TEST_ALL=1 $(BIN)/python -m pytest

# Apart, because bare Debian roots are made and filled: the README's blocks as written, and the packages.
test-packages: $(VENV)/.dev
	@tools/debian-packages debootstrap util-linux debhelper dpkg-dev lintian python3-venv rpm
	$(BIN)/python -m pytest tests/packages

# Apart, because its Python part is compiled: it needs a compiler and Kerberos' headers.
KERBEROS_PACKAGES := krb5-kdc krb5-admin-server krb5-user libkrb5-dev gcc python3-dev
test-kerberos: $(VENV)/.dev
	@tools/debian-packages $(KERBEROS_PACKAGES)
	@tools/make-venv $(VENV) --editable '.[dev,kerberos]'
	$(BIN)/python -m pytest tests/machines/winrm/test_kerberos.py

check-install: $(VENV)/.dev
	@tools/check-install $(CURDIR)/$(BIN)/python

# Not with $(VENV): recovery's libraries are 70 MB, and these two are all that is needed.
pyz:
	@work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && \
	tools/make-venv "$$work/venv" 'nagiosplugin>=1.3.2' 'idna>=3.3' && "$$work/venv/bin/python" -B tools/pyz.py check_imap4.pyz
	@echo "check_imap4.pyz is ready: put it into the plugin directory"

# What makes the packages' pages and completion, and pins their libraries. Not $(VENV), as for pyz.
PACKAGING := build/packaging-venv
$(PACKAGING)/.ready: Makefile
	@tools/make-venv $(PACKAGING) 'shtab>=1.7' 'argparse-manpage>=4.6' 'build>=1.2'
	@touch $@

deb: $(PACKAGING)/.ready
	@tools/make-deb dist $(CURDIR)/$(PACKAGING)/bin/python $(KIND)

rpm: $(PACKAGING)/.ready
	@tools/make-rpm dist $(CURDIR)/$(PACKAGING)/bin/python

release: $(PACKAGING)/.ready
	@$(PACKAGING)/bin/python -B tools/release.py dist

# Every library that the product and its extras may bring, by version and hash, for all Pythons that are supported.
constraints:
	@tools/make-venv build/constraints-venv 'uv>=0.5'
	@build/constraints-venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
		--extra all --no-emit-index-url --custom-compile-command 'make constraints' setup.cfg -o constraints.txt

completion: $(VENV)/.dev
	@$(BIN)/python tools/completion.py build/completion
	@echo "build/completion has a folder for each of bash, zsh and fish: see contrib/README.md"

man: $(VENV)/.dev
	@$(BIN)/python tools/manpages.py build/man
	@echo "build/man has a page for each command: man -l build/man/imap4-recovery.1"

docs: $(VENV)/.dev
	$(BIN)/python tools/verdicts.py
	$(BIN)/python tools/engine_facts.py
	$(BIN)/python -m tests.engines.situations_table

# Measured is what users have: installed, not editable, with the system's own Python.
BENCH := build/bench-venv
bench: $(VENV)/.dev
	@tools/debian-packages monitoring-plugins-basic nagios4-core icinga2-bin
	@PYTHON=$(firstword $(wildcard /usr/bin/python3) $(PYTHON)) tools/make-venv $(BENCH) '.[worker]'
	@tools/make-venv $(BENCH) --force-reinstall --no-deps .
	$(BIN)/python benchmarks/check_process.py $(CURDIR)/$(BENCH)/bin/python
	$(BIN)/python benchmarks/in_icinga.py --json build/in_icinga.json $(BENCH)/bin/check_imap4
	$(BIN)/python benchmarks/in_nagios.py --json build/in_nagios.json $(BENCH)/bin/check_imap4
	$(BIN)/python benchmarks/dead_targets.py --json build/dead_targets.json $(BENCH)/bin/check_imap4
	$(BIN)/python benchmarks/outage.py --monitors 100 --delay 10 --json build/outage.json $(BENCH)/bin/check_imap4

# A mass outage: 2,000 monitors every minute in Nagios, and few in Icinga 2, which forks every check.
bench-outage: $(VENV)/.dev
	@tools/debian-packages nagios4-core icinga2-bin
	@PYTHON=$(firstword $(wildcard /usr/bin/python3) $(PYTHON)) tools/make-venv $(BENCH) '.[worker]'
	@tools/make-venv $(BENCH) --force-reinstall --no-deps .
	$(BIN)/python benchmarks/outage.py $(BENCH)/bin/check_imap4
	$(BIN)/python benchmarks/outage.py --engine icinga2 --monitors 100 --delay 20 $(BENCH)/bin/check_imap4

soak: $(VENV)/.dev
	@tools/debian-packages nagios4-core
	$(BIN)/python benchmarks/soak.py --seconds $(or $(SECONDS),600) $(BIN)/check_imap4
	$(BIN)/python benchmarks/many_jobs.py $(BIN)/check_imap4

bench-recovery: $(VENV)/.dev
	@tools/debian-packages debootstrap systemd-container util-linux openssh-client
	$(BIN)/python benchmarks/restart_service.py

bench-reports: $(VENV)/.dev
	$(BIN)/python benchmarks/reports.py

clean:
	rm -rf $(VENV) build dist check_imap4.pyz *.egg-info
