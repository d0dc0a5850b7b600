"""Several Icingas that know each other: for each a folder, a port, and a certificate of one authority."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import trustme

from tests.engines import icinga, icinga_eyes
from tests.machines.ports import free_port


class Nodes:
    """Their folders below one; their main files are written by ``configure``."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = folder
        authority = trustme.CA()
        self._ports = {name: free_port() for name in names}
        for name in names:
            icinga.make(folder / name)
            certificate = authority.issue_cert(name, "localhost", common_name=name)
            certs = folder / name / "data" / "certs"
            authority.cert_pem.write_to_path(certs / "ca.crt")
            certificate.cert_chain_pems[0].write_to_path(certs / f"{name}.crt")
            certificate.private_key_pem.write_to_path(certs / f"{name}.key")
            (folder / name / "password").write_text("eyes")

    def configure(self, name: str, main: str, **more: object) -> None:
        """Write a node's main file.

        Args:
            main: its text, with ``name``, ``folder``, ``port`` and ``endpoints`` (all nodes) to be put in.
            more: what else is put in.
        """
        endpoints = "\n".join(
            f'object Endpoint "{each}" {{ host = "127.0.0.1"\n  port = "{port}" }}'
            for each, port in self._ports.items()
        )
        folder, port = self.folder / name, self._ports[name]
        text = main.format(name=name, folder=folder, port=port, endpoints=endpoints, **more)
        (folder / "icinga2.conf").write_text(text)

    def eyes(self, name: str) -> icinga_eyes.IcingaEyes:
        """Asks one of the nodes, whose main file has the user ``eyes``."""
        folder = self.folder / name
        api = icinga.Api(
            self._ports[name], folder / "data" / "certs" / "ca.crt", {"eyes": folder / "password"}
        )
        return icinga_eyes.IcingaEyes(api, "eyes")
