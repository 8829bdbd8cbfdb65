"""What a number pointed to before we changed it, kept on the disk, so that a run that was killed is healed by the next one.

One small file for each change, written by the run that made it and by nobody else. It holds no secret: where the address that was
there before has one, that address is sealed with the carrier's key, which whoever restores it needs anyway.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import socket
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from patter_nb.errors import HIDDEN, looks_random
from patter_nb.records.database import make_directory

FOLDER = "numbers"

_mine: set[str] = set()
"""The changes of this process that hold; another process is asked by its id."""


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where a number sends its calls, and what becomes of them."""

    voice_url: str
    voice_method: str = "POST"
    status_url: str = ""
    status_method: str = "POST"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a number, as its file tells of it."""

    id: str
    number: str
    """Masked."""
    voice_url: str
    """Where it pointed since."""
    before: Pointing | None
    """Where it pointed before; None when it was sealed with another key than the one that is at hand."""
    before_shown: str
    changed_at: str
    machine: str
    process: int
    process_began: str

    @property
    def holds(self) -> bool:
        """Whether the run that made it goes on. What another machine does is not known here, and left alone."""
        if self.machine != socket.gethostname():
            return True
        if self.process == os.getpid():
            return self.id in _mine
        return _runs(self.process) and _began(self.process) == self.process_began


class NumberRecords:
    """The changes of one number. `folder`: that of the store, None where nothing is kept; `secret`: the carrier's key."""

    def __init__(self, folder: Path | None, sid: str, secret: str) -> None:
        self._folder = None if folder is None else folder / FOLDER
        self._sid = sid
        self._secret = secret

    def add(self, number: str, voice_url: str, before: Pointing) -> str:
        """Keep what is about to be changed; returns the change's id. Raises `OSError`."""
        name = secrets.token_hex(6)
        _mine.add(name)
        if self._folder is not None:
            make_directory(self._folder.parent)
            self._folder.mkdir(exist_ok=True)
            content = {
                "number": number,
                "voice_url": voice_url,
                "before": self._kept(before),
                "before_shown": shown(before.voice_url),
                "changed_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": socket.gethostname(),
                "process": os.getpid(),
                "process_began": _began(os.getpid()),
            }
            _write(self._folder / f"{self._sid}.{name}.json", content)
        return name

    def end(self, name: str) -> None:
        """The run that made this change does not hold it any more."""
        _mine.discard(name)

    def before(self, found: Pointing) -> Pointing:
        """Where the number pointed before runs that are gone changed it; `found` itself where nobody of ours did."""
        seen = set[str]()
        changes = self.all()
        while found.voice_url not in seen:
            seen.add(found.voice_url)
            of_ours = [change for change in changes if change.voice_url == found.voice_url]
            if not of_ours or any(change.holds for change in of_ours) or of_ours[-1].before is None:
                break
            found = of_ours[-1].before
        return found

    def sealed(self, found: Pointing) -> Change | None:
        """The change of a run that is gone, whose record cannot be opened with the key at hand."""
        gone = [change for change in self.all() if change.voice_url == found.voice_url and not change.holds]
        return next((change for change in gone if change.before is None), None)

    def clean(self, found: Pointing) -> None:
        """Forget what no number and no running notebook leads back to any more; `found`: where the number points."""
        changes = self.all()
        wanted = {found.voice_url} | {change.before.voice_url for change in changes if change.holds and change.before}
        for _ in changes:
            wanted |= {change.before.voice_url for change in changes if change.voice_url in wanted and change.before}
        for change in changes:
            if not change.holds and change.voice_url not in wanted and self._folder is not None:
                (self._folder / f"{self._sid}.{change.id}.json").unlink(missing_ok=True)

    def all(self) -> list[Change]:
        """Every change that is on the disk, oldest first."""
        return [] if self._folder is None else read_changes(self._folder.parent, sid=self._sid, secret=self._secret)

    def _kept(self, before: Pointing) -> Any:
        plain = asdict(before)
        if all(shown(url) == url for url in (before.voice_url, before.status_url)):
            return plain
        return {"sealed": seal(json.dumps(plain), self._secret)}


def read_changes(folder: Path, *, sid: str = "*", secret: str = "") -> list[Change]:
    """The changes that lie in the folder of a store, oldest first; files that are none are passed over."""
    found = []
    for path in (folder / FOLDER).glob(f"{sid}.*.json"):
        try:
            content = json.loads(path.read_text("utf-8"))
            before = content.pop("before")
            opened = json.loads(unseal(before["sealed"], secret)) if "sealed" in before else before
            found.append(Change(path.suffixes[-2].strip("."), before=Pointing(**opened) if opened else None, **content))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue
    return sorted(found, key=lambda change: change.changed_at)


def _write(path: Path, content: Any) -> None:
    """All of it or nothing, readable by its owner alone."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


# Addresses and their secrets.


def shown(url: str) -> str:
    """The address without what may be a secret in it: a user and a password, a query, parts of the path that look random."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return HIDDEN
    path = "/".join(HIDDEN if looks_random(part) else part for part in parts.path.split("/"))
    query = HIDDEN if parts.query else ""
    return urlunsplit((parts.scheme, host, path, query, ""))


def seal(text: str, secret: str) -> str:
    """The text so that only `secret` opens it: a stream of SHAKE-256 over it, and a tag that tells whether it is whole.

    Without a secret nothing is kept of it.
    """
    if not secret:
        return ""
    nonce, plain = secrets.token_bytes(16), text.encode()
    hidden = bytes(a ^ b for a, b in zip(plain, _stream(secret, nonce, len(plain)), strict=True))
    return base64.b64encode(nonce + _tag(secret, nonce + hidden) + hidden).decode()


def unseal(text: str, secret: str) -> str:
    """The text that was sealed; "null" when it was with another secret."""
    raw = base64.b64decode(text)
    nonce, tag, hidden = raw[:16], raw[16:32], raw[32:]
    if not hmac.compare_digest(tag, _tag(secret, nonce + hidden)):
        return "null"
    return bytes(a ^ b for a, b in zip(hidden, _stream(secret, nonce, len(hidden)), strict=True)).decode()


def _stream(secret: str, nonce: bytes, length: int) -> bytes:
    return hashlib.shake_256(_key(secret, b"stream") + nonce).digest(length)


def _tag(secret: str, content: bytes) -> bytes:
    return hmac.new(_key(secret, b"tag"), content, hashlib.sha256).digest()[:16]


def _key(secret: str, use: bytes) -> bytes:
    return hmac.new(secret.encode(), b"patter_nb number record " + use, hashlib.sha256).digest()


# Processes.


def _runs(process: int) -> bool:
    """Whether a process of this id runs."""
    if sys.platform == "win32":  # os.kill would end it there
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, process)
        return bool(handle and ctypes.windll.kernel32.CloseHandle(handle))
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _began(process: int) -> str:
    """When the process began, where the system says so: ids are given again."""
    try:
        status = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    return status.rpartition(")")[2].split()[19]
