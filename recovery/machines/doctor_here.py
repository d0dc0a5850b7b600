"""Is all there on this host that a recovery would need? The part of ``doctor`` that asks no machine."""

from __future__ import annotations

import os

from imap4.deadline import Deadline
from recovery.caller import caller, name_of
from recovery.credentials.restrictions import JUMP, check_name
from recovery.credentials.store import Store
from recovery.errors import RecoveryError, Refused
from recovery.machines.access import find_target, jump_credential, permitted_access
from recovery.machines.interface import Access, DoctorFinding, Machines
from recovery.model import Credential
from recovery.requests import AccessRequest


def examine_here(
    request: AccessRequest, store: Store, machines: Machines, deadline: Deadline
) -> tuple[list[DoctorFinding], Access | None]:
    """What was found of user, credential and name; and the access, where nothing forbids to look further."""
    findings = [_user(store)]
    try:
        credential = store.get(request.credential)
    except RecoveryError as error:
        findings.append(DoctorFinding(False, "credential", f"{error} (read as {caller()})"))
        # The name is looked up all the same: two mistakes are to be found in one run.
        try:
            target = machines.locate(request.machine, request.port, deadline)
        except RecoveryError as problem:
            return [*findings, DoctorFinding(False, "name", str(problem))], None
        return [*findings, DoctorFinding(True, "name", target.found)], None
    findings += [_credential(credential, store), *_jumps(request, store)]
    try:
        return findings, permitted_access(request, None, store, machines, deadline)
    except Refused as error:
        findings.append(DoctorFinding(False, "restriction", str(error)))
    except RecoveryError as error:
        return [*findings, DoctorFinding(False, "name", str(error))], None
    try:
        target = find_target(request, credential, machines, deadline)
    except RecoveryError as error:
        return [*findings, DoctorFinding(False, "name", str(error))], None
    return [*findings, DoctorFinding(True, "name", target.found)], None


def _jumps(request: AccessRequest, store: Store) -> list[DoctorFinding]:
    """What is wrong with the credentials of jump hosts, each told whatever else is."""
    findings = []
    for jump in request.jumps:
        try:
            check_name(jump_credential(request, jump, store), jump.host, JUMP)
        except RecoveryError as error:
            findings.append(DoctorFinding(False, "jump", f"jump host {jump.host}: {error}"))
    return findings


def _user(store: Store) -> DoctorFinding:
    """Whether the one who looks is the one whose files count at night."""
    own = os.geteuid()
    try:
        owner = store.path.stat().st_uid
    except OSError:
        owner = own
    if owner == own:
        return DoctorFinding(True, "user", f"{caller()}, whose files, keys and known hosts are looked at")
    name = name_of(owner)
    return DoctorFinding(
        False,
        "user",
        f"{caller()}; but {store.path} is {name}'s, so {name} runs the repairs, with keys and known hosts of "
        "its own",
        f"sudo -u {name} imap4-recovery doctor ...",
    )


def _credential(credential: Credential, store: Store) -> DoctorFinding:
    name = credential.name
    shown = f"{name} in {store.path}: {credential.account} with {credential.method}"
    if credential.actions:
        return DoctorFinding(True, "credential", f"{shown}, for {', '.join(credential.actions)}")
    remedy = f"imap4-recovery credentials set {name} --actions restart-service"
    return DoctorFinding(False, "credential", f"{shown}, for no action at all", remedy)
