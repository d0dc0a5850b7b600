"""WS-Management messages as Windows writes them ([MS-WSMV]; DSP0226): requests in, answers and faults out."""

from __future__ import annotations

import base64
import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

SPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
}
CMD_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
_STATE = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/"

# [MS-ERREF] and wsmerror.h: the numbers that clients meet.
ACCESS_DENIED = 5
ABORTED = 995
OPERATION_TIMEOUT = 2150858793
QUOTA = 2150859173
BAD_SELECTORS = 2150858843
ENCODING_LIMIT = 2150858771
BAD_ACTION = 2150858754


class Fault(Exception):
    """A SOAP fault; ``code`` is the number in WSManFault."""

    def __init__(self, code: int, subcode: str, reason: str, *, sender: bool = True) -> None:
        super().__init__(reason)
        self.code, self.subcode, self.reason, self.sender = code, subcode, reason, sender


@dataclass(frozen=True)
class Request:
    """One message from the client."""

    action: str
    """The last part of its URI: Create, Command, Send, Receive, Signal or Delete."""
    message_id: str
    resource: str
    shell_id: str
    options: Mapping[str, str]
    operation_timeout: float
    max_envelope: int
    body: ET.Element


def read(message: bytes) -> Request:
    """Raises Fault or ValueError where it is no request of this protocol."""
    try:
        envelope = ET.fromstring(message)  # noqa: S314 - tests only
    except ET.ParseError as error:
        raise ValueError(str(error)) from None
    header, body = envelope.find("s:Header", SPACES), envelope.find("s:Body", SPACES)
    if header is None or body is None:
        raise ValueError("no SOAP header or body")

    def text(path: str) -> str:
        return (header.findtext(path, "", SPACES) or "").strip()

    seconds = re.fullmatch(r"PT([0-9.]+)S", text("w:OperationTimeout"))
    return Request(
        action=text("a:Action").rpartition("/")[2],
        message_id=text("a:MessageID"),
        resource=text("w:ResourceURI"),
        shell_id=text("w:SelectorSet/w:Selector[@Name='ShellId']"),
        options={
            option.get("Name", ""): option.text or ""
            for option in header.iterfind("w:OptionSet/w:Option", SPACES)
        },
        operation_timeout=float(seconds[1]) if seconds else 60.0,
        max_envelope=int(text("w:MaxEnvelopeSize") or 153600),
        body=body,
    )


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    names = " ".join(f"xmlns:{prefix}={quoteattr(uri)}" for prefix, uri in SPACES.items())
    return (
        f'<s:Envelope xml:lang="en-US" {names}><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{_ANONYMOUS}</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def created(request: Request, shell_id: str, owner: str, idle: str) -> bytes:
    """The answer to Create."""
    return _envelope(
        "http://schemas.xmlsoap.org/ws/2004/09/transfer/CreateResponse",
        request.message_id,
        f"<x:ResourceCreated><a:Address>http://127.0.0.1/wsman</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{CMD_SHELL}</w:ResourceURI><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
        f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId>"
        f"<rsp:ResourceUri>{CMD_SHELL}</rsp:ResourceUri><rsp:Owner>{escape(owner)}</rsp:Owner>"
        f"<rsp:ClientIP>127.0.0.1</rsp:ClientIP><rsp:IdleTimeOut>{escape(idle)}</rsp:IdleTimeOut>"
        f"<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
        f"<rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity>"
        f"</rsp:Shell>",
    )


def command_started(request: Request, command_id: str) -> bytes:
    """The answer to Command."""
    return _envelope(
        f"{SPACES['rsp']}/CommandResponse",
        request.message_id,
        f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>",
    )


def received(
    request: Request, command_id: str, chunks: Sequence[tuple[str, bytes]], exit_code: int | None
) -> bytes:
    """The answer to Receive; with an exit code, both streams end and the command is done."""
    streams = [
        f'<rsp:Stream Name="{name}" CommandId="{command_id}">{base64.b64encode(data).decode()}</rsp:Stream>'
        for name, data in chunks
    ]
    if exit_code is None:
        state = f'<rsp:CommandState CommandId="{command_id}" State="{_STATE}Running"/>'
    else:
        streams += [
            f'<rsp:Stream Name="{name}" CommandId="{command_id}" End="true"/>'
            for name in ("stdout", "stderr")
        ]
        state = (
            f'<rsp:CommandState CommandId="{command_id}" State="{_STATE}Done">'
            f"<rsp:ExitCode>{exit_code}</rsp:ExitCode></rsp:CommandState>"
        )
    return _envelope(
        f"{SPACES['rsp']}/ReceiveResponse",
        request.message_id,
        f"<rsp:ReceiveResponse>{''.join(streams)}{state}</rsp:ReceiveResponse>",
    )


def done(request: Request) -> bytes:
    """The answer to Send, Signal and Delete."""
    if request.action == "Delete":
        return _envelope(
            "http://schemas.xmlsoap.org/ws/2004/09/transfer/DeleteResponse", request.message_id, ""
        )
    return _envelope(
        f"{SPACES['rsp']}/{request.action}Response", request.message_id, f"<rsp:{request.action}Response/>"
    )


def faulted(fault: Fault, relates_to: str) -> bytes:
    """A fault's envelope; it travels with HTTP status 500."""
    role = "Sender" if fault.sender else "Receiver"
    reason = escape(fault.reason)
    return _envelope(
        "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault",
        relates_to,
        f"<s:Fault><s:Code><s:Value>s:{role}</s:Value><s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode>"
        f'</s:Code><s:Reason><s:Text xml:lang="en-US">{reason}</s:Text></s:Reason><s:Detail>'
        f'<f:WSManFault Code="{fault.code}" Machine="stand-in"><f:Message>{reason}</f:Message>'
        f"</f:WSManFault></s:Detail></s:Fault>",
    )
