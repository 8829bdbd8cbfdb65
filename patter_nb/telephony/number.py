"""`manage_webhook`: a number is pointed here while we serve, and back to where it pointed when we stop.

What it pointed to is kept beside the store before it is changed, so that a run that was killed is healed by the next one. It is
put back only while the number points at us: who has pointed it elsewhere meanwhile, by hand or from another notebook, keeps it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from patter_nb.errors import CarrierError, ConfigError
from patter_nb.records.masking import mask_number
from patter_nb.telephony.addresses import ANSWER, VOICE
from patter_nb.telephony.number_question import NOWHERE, Asking, Question, ask
from patter_nb.telephony.number_records import NumberRecords, Pointing, shown

if TYPE_CHECKING:
    from patter_nb.carriers.twilio.rest import NumberResource, TwilioRest

_answers: dict[str, bool] = {}
"""What was answered in this process, by number: it is asked once."""


class NumberWebhook:
    """One number while it is served. `begin` when the server is public, `end` before its tunnel closes.

    `manage`: True points the number here, False leaves it as it is, None asks once. `folder`: that of the store, None where
    nothing is kept, so that nothing is healed after a kill. `secret`: the carrier's key, with which an address that has a
    password is sealed on the disk. `tell` takes lines for the user.
    """

    def __init__(
        self,
        rest: TwilioRest,
        number: str,
        *,
        voice_url: str,
        status_url: str,
        folder: Path | None,
        secret: str,
        tell: Callable[[str], None],
        manage: bool | None = None,
    ) -> None:
        self._rest = rest
        self._number = number
        self._shown = mask_number(number)
        self._here = Pointing(voice_url, "POST", status_url)
        self._manage = manage
        self._folder = folder
        self._secret = secret
        self._tell = tell
        self._asking: Asking | None = None
        self._changing: asyncio.Task[None] | None = None
        self._kept = ""
        """The id of our change, while it holds."""
        self._before: Pointing | None = None
        self._lock = asyncio.Lock()
        self._ended = False
        self.points_here = False
        """Whether calls to the number come here, as far as is known."""

    async def begin(self) -> None:
        """Point the number here, or ask whether to, without waiting for the answer.

        `CarrierError` when it was to be pointed here and cannot be; otherwise whatever stands in the way is told.
        """
        try:
            number = await self._read()
            if (taken := taken_by(number)) is not None:
                self._tell(taken)
                return
            found = pointing(number)
            # Adopted also without a change: it may point at this very address since a run that was killed.
            if self._manage is not False and self._records(number).before(found) != found and self._is_here(found):
                await self._point()
            elif self._is_here(found):
                self.points_here = True
            else:
                await self._decide(number, found)
        except (CarrierError, ConfigError) as error:
            if self._manage:
                raise
            self._tell(str(error))

    async def again(self, manage: bool | None) -> None:
        """`serve()` was run again, and says this of the number. What points here stays so until the end."""
        self._manage = manage
        if not self.points_here:
            self._drop_question("This is not asked any more: the cell was run again.")
            await self.begin()

    async def _decide(self, number: NumberResource, found: Pointing) -> None:
        wanted = _answers.get(self._number) if self._manage is None else self._manage
        if wanted:
            await self._point()
        elif wanted is False:
            self._tell(self._left(found))
        else:
            now = shown(self._records(number).before(found).voice_url)
            self._asking = ask(Question(self._shown, now, shown(self._here.voice_url), self._answered), self._tell)

    async def end(self) -> None:
        """Put back what was there, if the number still points at us. Harmless twice; what cannot be done is told."""
        self._ended = True
        async with self._lock:
            self._drop_question("The number was left as it is: the server stopped before an answer.")
            if self._before is None:
                return
            try:
                await self._put_back(self._before)
            except (CarrierError, ConfigError) as error:
                self._tell(f"{self._shown} still points to this server, which stops; the next serve() puts it back. {error}")
            self._before = None
            self.points_here = False

    async def _put_back(self, before: Pointing) -> None:
        number = await self._read()
        records, found = self._records(number), pointing(number)
        records.end(self._kept)
        if found.voice_url == self._here.voice_url:
            target = records.before(before)
            await self._configure(number, target)
            found = target
            self._tell(f"{self._shown} points to {shown(target.voice_url) or NOWHERE} again.")
        elif found != before:
            self._tell(f"{self._shown} points to {shown(found.voice_url) or NOWHERE} by now, and is left so.")
        await asyncio.to_thread(records.clean, found)

    # Pointing it here.

    def _answered(self, yes: bool) -> None:
        """The answer to the question. On the loop."""
        _answers[self._number] = yes
        if not yes:
            self._close_question(f"{self._shown} is left as it is: its calls do not come here.")
        else:
            self._changing = asyncio.get_running_loop().create_task(self._point_when_asked(), name="point the number here")

    async def _point_when_asked(self) -> None:
        try:
            await self._point()
        except (CarrierError, ConfigError) as error:
            self._close_question(str(error))

    async def _point(self) -> None:
        async with self._lock:
            if self._ended or self._before is not None:
                return
            number = await self._read()  # again: it may have been changed since it was asked
            if (taken := taken_by(number)) is not None:
                self._said(taken)
                return
            records, found = self._records(number), pointing(number)
            before = records.before(found)
            if before == self._here:
                self.points_here = True
                return
            if (lost := records.sealed(found)) is not None:
                self._tell(
                    f"{self._shown} pointed to {lost.before_shown}, whose record was sealed with another key: "
                    "it cannot be put back from here, so do it in Twilio's console."
                )
            self._kept = await self._keep(records, before)
            self._before = before  # from here on: what fails below may have been done all the same
            if found != self._here:
                await self._configure(number, self._here)
            self.points_here = True
            await asyncio.to_thread(records.clean, self._here)
            line = f"{self._shown}: {shown(before.voice_url) or NOWHERE} → {shown(self._here.voice_url)}"
            self._said(line, pointed=True)

    async def _keep(self, records: NumberRecords, before: Pointing) -> str:
        try:
            return await asyncio.to_thread(records.add, self._shown, self._here.voice_url, before)
        except OSError as error:
            raise ConfigError(
                f"{self._shown} is not pointed here, since what it points to cannot be kept in {self._folder} "
                f"({error.strerror}): make that folder writable, or give another store."
            ) from None

    # Small parts.

    async def _read(self) -> NumberResource:
        number = await self._rest.find_number(self._number)
        if number is None:
            raise CarrierError(
                f"{self._shown} is no number of this Twilio account: give phone_number as it stands in Twilio's console, with "
                "the plus, or the account that owns it."
            )
        return number

    async def _configure(self, number: NumberResource, to: Pointing) -> None:
        await self._rest.configure_number(number.sid, **asdict(to))

    def _records(self, number: NumberResource) -> NumberRecords:
        return NumberRecords(self._folder, number.sid, self._secret)

    def _is_here(self, found: Pointing) -> bool:
        return found.voice_method == "POST" and (
            found.voice_url == self._here.voice_url
            or (_host(found.voice_url) == _host(self._here.voice_url) and urlsplit(found.voice_url).path in (ANSWER, VOICE))
        )

    def _left(self, found: Pointing) -> str:
        to = shown(found.voice_url) or NOWHERE
        return f"{self._shown} points to {to}, not here: its calls do not come here. manage_webhook=True points it here."

    def _said(self, text: str, *, pointed: bool = False) -> None:
        """Say it in the place of the question, if there was one."""
        if self._asking is None:
            self._tell(text)
        else:
            self._close_question(text, pointed=pointed)

    def _drop_question(self, text: str) -> None:
        if self._asking is not None:
            self._asking.lapse(text)
            self._asking = None

    def _close_question(self, text: str, *, pointed: bool = False) -> None:
        if self._asking is not None:
            self._asking.say(text, pointed=pointed)
            self._asking = None


def pointing(number: NumberResource) -> Pointing:
    """Where the number points."""
    return Pointing(number.voice_url, number.voice_method, number.status_url, number.status_method)


def taken_by(number: NumberResource) -> str | None:
    """What answers the number's calls whatever its address says, in one sentence with the remedy; None for nothing."""
    where = "in Twilio's console under Phone Numbers"
    if number.trunk_sid:
        return f"{mask_number(number.phone_number)} is on a SIP trunk, which takes its calls: take it off the trunk {where}."
    if number.application_sid:
        what = "is bound to a TwiML application, which takes its calls"
        return f"{mask_number(number.phone_number)} {what}: let it use a webhook instead {where}."
    return None


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()
