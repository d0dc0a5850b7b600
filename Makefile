# See CONTRIBUTING.md for what each target is for.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHON

# What the tests start. Each is run from a private configuration, never as a service.
DEBIAN_PACKAGES := dovecot-imapd mailutils-imap4d dnsmasq-base iproute2 openssl \
	openssh-client sudo debootstrap systemd-container util-linux busybox samba samba-common-bin \
	nagios4-core nagios4-cgi icinga2-bin chromium \
	icingaweb2-module-director icingacli postgresql php-pgsql

.PHONY: demo demo-nagios demo-recovery test lint check-install pyz bench bench-recovery soak docs clean

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

test: $(VENV)/.dev
	@tools/debian-packages $(DEBIAN_PACKAGES)
	$(BIN)/python -m pytest

check-install: $(VENV)/.dev
	@tools/check-install $(CURDIR)/$(BIN)/python

pyz: $(VENV)/.run
	@$(BIN)/python tools/pyz.py check_imap4.pyz
	@echo "check_imap4.pyz is ready: put it into the plugin directory"

docs: $(VENV)/.dev
	$(BIN)/python tools/verdicts.py

bench: $(VENV)/.dev
	@tools/debian-packages monitoring-plugins-basic
	@tools/make-venv build/bench-venv --force-reinstall --no-deps .
	@tools/make-venv build/bench-venv .
	$(BIN)/python benchmarks/check_process.py $(CURDIR)/build/bench-venv/bin/python
	@tools/debian-packages nagios4-core
	$(BIN)/python benchmarks/in_nagios.py --json build/in_nagios.json build/bench-venv/bin/check_imap4
	$(BIN)/python benchmarks/dead_targets.py --json build/dead_targets.json $(BIN)/check_imap4

soak: $(VENV)/.dev
	@tools/debian-packages nagios4-core
	$(BIN)/python benchmarks/soak.py --seconds $(or $(SECONDS),600) $(BIN)/check_imap4

bench-recovery: $(VENV)/.dev
	@tools/debian-packages debootstrap systemd-container util-linux openssh-client
	$(BIN)/python benchmarks/restart_service.py

clean:
	rm -rf $(VENV) build dist check_imap4.pyz *.egg-info
