"""`phone.check()`: a dry run before money. Each thing that a call needs is looked at, and told in one sentence with one remedy.

It calls nobody, changes nothing and prints nothing, and what it finds is never raised.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import socket
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from patter_nb.agent import Agent
from patter_nb.callbacks import check_number
from patter_nb.errors import INSTALL_FROM_CLONE, CarrierError, ConfigError, PatterError, scrub
from patter_nb.keys import find, missing
from patter_nb.notebook.card_style import STYLE
from patter_nb.notebook.picture import markup
from patter_nb.records.masking import mask_number, mask_text
from patter_nb.server.listening import LOOPBACK, is_serving
from patter_nb.session.threads import in_thread
from patter_nb.telephony.number import pointing, taken_by
from patter_nb.telephony.number_question import NOWHERE
from patter_nb.telephony.number_records import shown
from patter_nb.tunnels import CloudflareTunnel, Ngrok, Static
from patter_nb.tunnels.cloudflare import INSTALL, PROGRAM
from patter_nb.tunnels.ngrok import KEY

if TYPE_CHECKING:
    from patter_nb.carriers.twilio.rest import NumberResource, TwilioRest
    from patter_nb.carriers.twilio.settings import Twilio
    from patter_nb.records.store import Store
    from patter_nb.telephony.server import PhoneServer

SECONDS = 15.0
"""How long one thing may take to be looked at."""
LOW_BALANCE = 1.0
"""Below this many units of the account's currency the next call may be the last."""

SIGNS = {True: "✓", False: "✗", None: "–"}
WORDS = {True: "fine", False: "in the way", None: "to know"}
WIDTH = 80

_STYLE = """
.pnb-check{max-width:760px}
.pnb-check .pnb-head{margin-bottom:8px}
.pnb-check table.pnb-found td{padding:4px 0 4px 10px;vertical-align:baseline;font-size:13px;line-height:1.5;text-align:left;
white-space:normal;overflow-wrap:anywhere;border-top:1px solid var(--pnb-raised)}
.pnb-check table.pnb-found tr:first-child td{border-top:none}
.pnb-check table.pnb-found td:first-child{padding-left:0;width:16px;font-weight:600}
.pnb-check table.pnb-found td.pnb-what{width:1px;white-space:nowrap;font-weight:600}
.pnb-check .pnb-good{color:var(--pnb-good)}
.pnb-check .pnb-remedy{display:block;color:var(--pnb-ink)}
.pnb-check .pnb-quiet .pnb-remedy{color:var(--pnb-muted)}
.pnb-check .pnb-unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `ok`: True it is fine, False it stands in the way, None it does not, and is good to know."""

    name: str
    ok: bool | None
    said: str
    remedy: str = ""

    def __post_init__(self) -> None:
        for name in ("said", "remedy"):  # it is shown, and saved with the notebook
            object.__setattr__(self, name, scrub(mask_text(" ".join(getattr(self, name).split()))))


class Report(Sequence[Finding]):
    """What was found, in the order in which a call needs it. `ok`: whether nothing stands in the way."""

    def __init__(self, findings: Iterable[Finding], *, ready: str = "Ready to call", title: str = "Before a call") -> None:
        self.findings = tuple(findings)
        self._ready = ready
        self._title = title

    @property
    def ok(self) -> bool:
        return all(finding.ok is not False for finding in self.findings)

    def __getitem__(self, index: Any) -> Any:
        """By its place, or by its name: `report["number"]`."""
        return {finding.name: finding for finding in self.findings}[index] if isinstance(index, str) else self.findings[index]

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def summary(self) -> str:
        """In one line."""
        wrong = [finding.name for finding in self.findings if finding.ok is False]
        if not wrong:
            return f"{self._ready}: nothing stands in the way"
        return f"Not ready: {', '.join(wrong)}"

    def __repr__(self) -> str:
        room = max((len(finding.name) for finding in self.findings), default=0)
        return "\n".join([self.summary(), *(line for finding in self.findings for line in text_lines(finding, room))])

    def _repr_html_(self) -> str:
        state = "ended pnb-good" if self.ok else "failed"
        word = self._ready.lower() if self.ok else "not ready"
        head = f'<span class="pnb-name">{markup(self._title)}</span> <span class="pnb-state pnb-{state}">{markup(word)}</span>'
        rows = "".join(_row(finding) for finding in self.findings)
        style = f"<style>{STYLE}{''.join(_STYLE.splitlines())}</style>"
        table = f'<table class="pnb-found"><tbody>{rows}</tbody></table>'
        return f'<div class="pnb-card pnb-check">{style}<div class="pnb-head">{head}</div>{table}</div>'


def _row(finding: Finding) -> str:
    colour = {True: "pnb-good", False: "pnb-error", None: "pnb-muted"}[finding.ok]
    sign = f'<span aria-hidden="true">{SIGNS[finding.ok]}</span><span class="pnb-unseen">{WORDS[finding.ok]}</span>'
    remedy = f'<span class="pnb-remedy">→ {markup(finding.remedy)}</span>' if finding.remedy else ""
    quiet = ' class="pnb-quiet"' if finding.ok is None else ""
    what = f'<td class="pnb-what">{markup(finding.name)}</td>'
    return f'<tr{quiet}><td class="{colour}">{sign}</td>{what}<td>{markup(finding.said)}{remedy}</td></tr>'


def text_lines(finding: Finding, room: int) -> list[str]:
    """A finding in lines of 80 characters; `room` for its name."""
    indent = " " * (room + 6)
    lines = _wrapped(finding.said, f"  {SIGNS[finding.ok]} {finding.name:<{room}}  ", indent)
    return [*lines, *(_wrapped(finding.remedy, f"{indent}→ ", f"{indent}  ") if finding.remedy else ())]


def _wrapped(text: str, first: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False) or [first.rstrip()]


class Checks:
    """What a phone can look at before it calls."""

    _carrier: Twilio | None
    _phone_number: str
    _tunnel: Any
    _store: Store | None
    _server: PhoneServer | None

    async def check(self, agent: Agent | None = None, *, to: str = "", port: int = 8000) -> Report:
        """Look at everything that a call needs, and call nobody: keys, account, number, tunnel, port, agent, store.

        `agent`: its providers are asked whether they are ready. `to`: a number you mean to call; a trial account calls verified
        ones only. Returns a report, which a cell shows; `report.ok` says whether nothing stands in the way.
        """
        origin = "" if self._server is None or self._server.stopped else self._server.origin
        try:
            to, wrong = check_number("to", to) if to else "", []
        except ConfigError as error:
            to, wrong = "", [failed("to", error)]
        found = await asyncio.gather(
            _carrier_findings(self._carrier, self._phone_number, to, origin),
            _looked("tunnel", _tunnel_findings(self._tunnel, origin)),
            _looked("port", _port_findings(port)),
            _looked("agent", agent_findings(agent)),
            _looked("store", _store_findings(self._store)),
        )
        return Report(finding for group in (*found, wrong) for finding in group)


async def _looked(name: str, look: Awaitable[list[Finding]]) -> list[Finding]:
    """What was found; what could not be looked at is a finding, too."""
    try:
        async with asyncio.timeout(SECONDS):
            return await look
    except TimeoutError:
        return [Finding(name, False, f"No answer within {SECONDS:g} s.", "Look at the network of this machine, and check again.")]
    except (PatterError, OSError) as error:
        return [failed(name, error)]


def failed(name: str, error: Exception) -> Finding:
    """An error of ours as a finding: what stands before its last colon, and the remedy behind it."""
    said, _, remedy = str(error).rpartition(": ")
    said, remedy = (said, remedy) if said else (remedy, "")
    return Finding(name, False, _sentence(said), _sentence(remedy[:1].upper() + remedy[1:]))


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}." if text else ""


# The carrier.


async def _carrier_findings(carrier: Twilio | None, number: str, to: str, origin: str) -> list[Finding]:
    if carrier is None:
        remedy = "Give Patter(carrier=Twilio(), phone_number=...) to call and be called; test() needs neither."
        return [Finding("keys", False, "There is no carrier.", remedy)]
    try:
        found = _key_findings(carrier)
    except PatterError as error:
        return [failed("keys", error)]
    from patter_nb.carriers.twilio.rest import TwilioRest

    rest = TwilioRest(carrier)
    try:
        account = await _looked("account", _account_findings(rest, to))
        if account[0].ok is False:  # nothing else will answer either
            return [*found, *account]
        others = await asyncio.gather(
            _looked("balance", _balance_findings(rest)),
            _looked("number", _number_findings(rest, number, origin)),
        )
    finally:
        await rest.close()
    return [*found, *account, *others[0], *others[1]]


def _key_findings(carrier: Twilio) -> list[Finding]:
    keys = carrier.credentials()
    account = f"{keys.account_sid[:2]}…{keys.account_sid[-4:]}"
    said = f"Account {account}, with {'an API key' if keys.api_key else 'its auth token'}."
    if keys.auth_token:
        return [Finding("keys", True, said)]
    remedy = "Give TWILIO_AUTH_TOKEN as well: Twilio signs its webhooks with it."
    return [Finding("keys", False, f"{said} Nothing that Twilio sends can be checked, since the auth token is missing.", remedy)]


async def _account_findings(rest: TwilioRest, to: str) -> list[Finding]:
    account = await rest.account()
    if account.status != "active":
        return [Finding("account", False, f"The account is {account.status}.", "Reactivate it in Twilio's console.")]
    if account.type != "Trial":
        return [Finding("account", True, "The account is active.")]
    return [Finding("account", True, "The account is active, on trial."), *await _looked("trial", _trial_findings(rest, to))]


async def _trial_findings(rest: TwilioRest, to: str) -> list[Finding]:
    verified = await rest.verified_numbers()
    if to and to not in verified:
        said = f"{mask_number(to)} is not verified, and a trial account calls verified numbers only."
        return [Finding("trial", False, said, "Verify it in Twilio's console under Verified Caller IDs, or upgrade the account.")]
    names = ", ".join(mask_number(number) for number in verified) or "none yet"
    said = f"A trial calls verified numbers only ({names}), for at most 10 minutes, after a message of Twilio's own."
    remedy = "Verify more numbers in Twilio's console under Verified Caller IDs, or upgrade the account."
    return [Finding("trial", None if verified else False, said, remedy)]


async def _balance_findings(rest: TwilioRest) -> list[Finding]:
    try:
        balance = await rest.balance()
    except CarrierError as error:  # a subaccount has none of its own
        return [Finding("balance", None, str(error))]
    said = f"{balance.amount:.2f} {balance.currency} are left."
    if balance.amount <= 0:
        return [Finding("balance", False, said, "Add funds in Twilio's console: without them no call is connected.")]
    low = balance.amount < LOW_BALANCE
    return [Finding("balance", None if low else True, said, "Add funds in Twilio's console." if low else "")]


async def _number_findings(rest: TwilioRest, number: str, origin: str) -> list[Finding]:
    if not number:
        return [Finding("number", False, "There is no phone_number.", 'Give Patter(phone_number="+1..."), one of your account.')]
    owned = await rest.find_number(number)
    if owned is None:
        said = f"{mask_number(number)} is no number of this account."
        return [Finding("number", False, said, "Give one as it stands in Twilio's console, or the account that owns it.")]
    if not owned.voice:
        return [Finding("number", False, f"{mask_number(number)} takes no calls.", "Buy a number with the capability Voice.")]
    return [Finding("number", True, f"{mask_number(number)} is yours and takes calls."), _webhook_finding(owned, origin)]


def _webhook_finding(number: NumberResource, origin: str) -> Finding:
    """What answers the number's calls. `origin`: our public address, if there is one."""
    if (taken := taken_by(number)) is not None:
        return failed("webhook", CarrierError(taken))
    if origin and pointing(number).voice_url.startswith(f"{origin}/"):
        return Finding("webhook", True, f"{mask_number(number.phone_number)} points to this notebook.")
    said = f"{mask_number(number.phone_number)} points to {shown(pointing(number).voice_url) or NOWHERE}."
    return Finding("webhook", None, said, "serve() shows what it would change, and asks.")


# This machine.


async def _tunnel_findings(tunnel: Any, origin: str) -> list[Finding]:
    if origin:
        return [Finding("tunnel", True, f"This notebook is public as {origin}.")]
    if not tunnel:
        said = "No tunnel is set: the carrier cannot reach this machine without one."
        return [Finding("tunnel", None, said, "Give tunnel=True, Ngrok() or Static(...) to Patter() or to serve().")]
    if isinstance(tunnel, Ngrok):
        return [_ngrok_finding(tunnel)]
    if isinstance(tunnel, Static):
        return [await _static_finding(tunnel.hostname)]
    if tunnel is True or isinstance(tunnel, CloudflareTunnel):
        return [cloudflared_finding("tunnel", needed=True)]
    return [Finding("tunnel", None, f"{type(tunnel).__name__} is opened when serve() begins.")]


def cloudflared_finding(name: str, *, needed: bool) -> Finding:
    """Whether the program that opens quick tunnels is there."""
    path = shutil.which(PROGRAM)
    if path is not None:
        return Finding(name, True, f"{PROGRAM} is at {path}.")
    here = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, "Debian and Ubuntu")
    remedy = f"{here}: {INSTALL[here]}"
    return Finding(name, False if needed else None, f"{PROGRAM} is not on the PATH, which tunnel=True needs.", remedy)


def _ngrok_finding(tunnel: Ngrok) -> Finding:
    package, token = importlib.util.find_spec("ngrok") is not None, bool(tunnel.authtoken or find(KEY))
    if package and token:
        return Finding("tunnel", True, f"ngrok opens it{f' at {tunnel.hostname}' if tunnel.hostname else ''}.")
    if tunnel.hostname:
        said = f"The ngrok that you run yourself at {tunnel.hostname} is used."
        return Finding("tunnel", None, said, "Let it lead to the port.")
    if not package:
        return Finding("tunnel", False, "Ngrok() needs the package ngrok.", INSTALL_FROM_CLONE.format(extra="ngrok"))
    return failed("tunnel", missing(KEY, "Ngrok()"))


async def _static_finding(host: str) -> Finding:
    try:
        await asyncio.get_running_loop().getaddrinfo(urlsplit(f"//{host}").hostname, None)
    except OSError:
        remedy = "Look at its DNS record, or at the network of this machine."
        return Finding("tunnel", False, f"The name {host} does not resolve.", remedy)
    return Finding("tunnel", True, f"The name {host} resolves.")


async def _port_findings(port: int) -> list[Finding]:
    return [port_finding(port)]


def port_finding(port: int) -> Finding:
    """Whether the server may have its port."""
    if port == 0:
        return Finding("port", True, "Any free port is taken.")
    if is_serving(port):
        return Finding("port", True, f"Port {port} is served by this notebook already.")
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
    except OverflowError:
        return Finding("port", False, f"Port {port} does not exist.", "Give one from 1 to 65535, or 0 for any free one.")
    except OSError as error:
        return Finding("port", False, f"Port {port} cannot be used ({error.strerror}).", "Stop what uses it, or serve(port=0).")
    return Finding("port", True, f"Port {port} is free.")


async def agent_findings(agent: Agent | None) -> list[Finding]:
    """Whether the agent's providers are ready."""
    if agent is None:
        return [Finding("agent", None, "No agent was given.", "check(agent) looks at its providers as well.")]
    parts = [(name, getattr(agent, name)) for name in ("stt", "llm", "tts", "engine")]
    ready = [(name, part) for name, part in parts if part is not None]
    found = [await _ready(name, part) for name, part in ready]
    wrong = [finding for finding in found if finding.ok is False]
    if wrong:
        return wrong
    names = ", ".join(f"{name} {type(part).__name__}" for name, part in ready)
    return [Finding("agent", True, f"{agent.name!r} is ready: {names}.")]


async def _ready(name: str, part: Any) -> Finding:
    check: Callable[[], object] | None = getattr(part, "ready", None)
    try:
        if check is not None:
            await in_thread(check, who=type(part).__name__)
    except PatterError as error:
        return failed(name, error)
    return Finding(name, True, "ready")


async def _store_findings(store: Store | None) -> list[Finding]:
    if store is None:
        return [Finding("store", None, "Calls are kept in memory only (store=False).")]
    if store.problem is not None:
        return [failed("store", PatterError(store.problem))]
    return [Finding("store", True, f"Calls are kept in {store.name}.")]
