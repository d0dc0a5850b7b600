# See CONTRIBUTING.md for what each target is for.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHON

# What the tests start. Each is run from a private configuration, never as a service.
DEBIAN_PACKAGES := dovecot-imapd mailutils-imap4d dnsmasq-base iproute2 openssl \
	openssh-client sudo debootstrap systemd-container util-linux busybox samba samba-common-bin

.PHONY: demo test test-kerberos lint check-install pyz bench docs clean

# The first stamp is what a user needs, the second adds what a developer needs.
$(VENV)/.run: setup.cfg pyproject.toml
	@tools/make-venv $(VENV) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@tools/make-venv $(VENV) --editable '.[dev]'
	@touch $@

demo: $(VENV)/.run
	@$(BIN)/python tools/demo.py $(HOST)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(VENV)/.dev
	@tools/debian-packages $(DEBIAN_PACKAGES)
	$(BIN)/python -m pytest

# Apart, because its Python part is compiled: it needs a compiler and Kerberos' headers.
KERBEROS_PACKAGES := krb5-kdc krb5-admin-server krb5-user libkrb5-dev gcc python3-dev
test-kerberos: $(VENV)/.dev
	@tools/debian-packages $(KERBEROS_PACKAGES)
	@tools/make-venv $(VENV) --editable '.[dev,kerberos]'
	$(BIN)/python -m pytest tests/machines/winrm/test_kerberos.py

clean:
	rm -rf $(VENV) build dist check_imap4.pyz *.egg-info
