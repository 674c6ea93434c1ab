"""Publishes what the gateway knows as a Sparkplug B edge node: readings, means of air, who is there and who is not.

It reads the journal like any other reader, so nothing waits for it and nothing is lost to it: how far it has told is
kept in the state folder, and what came meanwhile goes out marked as historical. The surprise is QoS 0, which the
specification demands: nobody acknowledges a message. So after each piece a subscription is made anew on the same
connection; its answer proves that the broker has read everything before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from pathlib import Path

import msgspec

from gateway.boot import program_version
from gateway.drivers.sparkplug_payload import BadPayloadError
from gateway.journal import reading
from gateway.journal.store import Journal
from gateway.ports import BrokerSettings, DeviceStatus, LinkDown, MqttLink, NotStored, Ports, Will
from gateway.sparkplug_edge import EdgeNode
from wire.records import Record, decode

log = logging.getLogger(__name__)

AT_ONCE = 500
# Seconds between two looks into the journal, and the longest pause before the broker is tried again.
LOOK, LONGEST_PAUSE = 1.0, 30.0
# Seconds in which a broker may acknowledge our goodbye.
GOODBYE = 1.0
# Records looked through for the newest value of each register at a start.
REMEMBERED = 20_000


class Told(msgspec.Struct):
    """What a restart must know: the last record told, and the number of the next connection's birth."""

    after: int = 0
    bd: int = 0


class SparkplugNode:
    """One edge node at one broker, on a connection of its own: its will is the node's death."""

    def __init__(
        self, settings: BrokerSettings, group: str, node: str, folder: Path, ports: Ports, journal: Journal
    ) -> None:
        self.name = f"{settings.name} sparkplug"
        self.progress = ports.clock.line()
        self._settings = settings
        self._clock = ports.clock
        self._open = ports.open_mqtt
        self._journal = journal
        self._file = folder / f"sparkplug-{settings.name}.json"
        self._node = EdgeNode(group, node, program_version())
        self._told = Told()
        # Numbers are given as messages are made: what is made next is sent before anything else is made.
        self._speaking = asyncio.Lock()

    def devices(self) -> list[DeviceStatus]:
        """It has none of its own."""
        return []

    async def run(self) -> None:
        """Connects, tells, connects again; until cancelled."""
        self._told = await asyncio.to_thread(self._load)
        await self._remember()
        pause = 1.0
        link = self._open(self._settings)
        while True:
            try:
                await self._serve(link)
                pause = 1.0
            except LinkDown as error:
                log.info("%s: %s; trying again in %.0f s", self.name, error, pause)
            except NotStored as error:
                log.warning("%s: the journal cannot be read: %s", self.name, error)
            finally:
                await link.close()
            self.progress = self._clock.line()
            await self._clock.sleep(pause * self._clock.scale)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _serve(self, link: MqttLink) -> None:
        bd = self._told.bd
        # A birth's number is never used twice, whatever becomes of this connection.
        self._told.bd = (bd + 1) % 256
        await asyncio.to_thread(self._save)
        node = self._node
        death = Will(node.death_topic, node.death(bd), retain=False)
        await link.open([node.command_topic], death)
        try:
            await self._speak(link, bd)
        except asyncio.CancelledError:
            # Who disconnects in order takes the will back, and must say itself that it goes.
            with contextlib.suppress(LinkDown, TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    await link.publish(death.topic, death.payload)
            raise

    async def _speak(self, link: MqttLink, bd: int) -> None:
        async with self._speaking:
            for one in self._node.births(bd, self._clock.wall_ms()):
                await link.publish(one.topic, one.payload, qos=0)
        waited_until = await self._journal.read(reading.newest)
        commands = asyncio.create_task(self._listen(link), name=f"{self.name} commands")
        try:
            while not commands.done():
                self.progress = self._clock.line()
                if not await self._tell(link, waited_until):
                    await self._clock.sleep(LOOK)
            await commands
        finally:
            commands.cancel()
            await asyncio.gather(commands, return_exceptions=True)

    async def _tell(self, link: MqttLink, waited_until: int) -> bool:
        """The next piece of the journal; False when there is none."""
        rows = await self._journal.read(reading.leaves_after, self._told.after, AT_ONCE)
        if not rows:
            return False
        waited = [(number, leaf) for number, leaf in rows if number <= waited_until]
        piece = waited or rows
        records: list[Record] = [decode(leaf) for _, leaf in piece]
        messages = self._node.data(records, self._clock.wall_ms(), historical=bool(waited))
        while True:
            async with self._speaking:
                one = next(messages, None)
                if one is None:
                    break
                await link.publish(one.topic, one.payload, qos=0)
        await link.subscribe([self._node.command_topic])
        self._told.after = piece[-1][0]
        await asyncio.to_thread(self._save)
        return True

    async def _listen(self, link: MqttLink) -> None:
        """A host may ask for the births again; nothing else is obeyed here: who may switch is decided elsewhere."""
        while True:
            messages = await link.batch()
            await link.ack(messages)
            for message in messages:
                try:
                    again = not message.retain and self._node.asks_rebirth(message.payload)
                except BadPayloadError as error:
                    log.info("%s: a command was not understood: %s", self.name, error)
                    continue
                if again:
                    async with self._speaking:
                        for one in self._node.again(self._clock.wall_ms()):
                            await link.publish(one.topic, one.payload, qos=0)

    async def _remember(self) -> None:
        """The newest values, so that the first birth tells them."""
        try:
            held = await self._journal.read(reading.tail, REMEMBERED)
        except NotStored as error:
            log.warning("%s: what was known before is not told at the birth: %s", self.name, error)
            return
        for one in held:
            if one.id <= self._told.after:
                self._node.remember(decode(one.leaf))

    def _load(self) -> Told:
        try:
            return msgspec.convert(json.loads(self._file.read_text("utf-8")), Told)
        except (OSError, ValueError, msgspec.ValidationError):
            return Told()

    def _save(self) -> None:
        waiting = self._file.with_suffix(".new")
        with waiting.open("w", encoding="utf-8") as file:
            json.dump(msgspec.to_builtins(self._told), file)
            file.flush()
            os.fsync(file.fileno())
        waiting.replace(self._file)
