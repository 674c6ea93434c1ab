"""Devices that have a line to themselves: which session, which desk."""

from __future__ import annotations

from typing import Any

from gateway.audit_desk import AuditDesk
from gateway.conversation import ConversationSession
from gateway.drivers.evadts import EvaDts
from gateway.drivers.mdb_adapter import MdbAdapter
from gateway.mdb_desk import MdbDesk
from gateway.ports import Ports, SerialSettings
from gateway.premises import Cabinet, Premises
from gateway.tag_cabinet import TagCabinet


def conversation(
    settings: SerialSettings,
    device: str,
    driver: Any,  # noqa: ANN401 - talkers differ in what they can be asked
    ports: Ports,
    premises: Premises,
) -> tuple[ConversationSession, Cabinet]:
    """The session of such a line and the cabinet behind it."""
    if isinstance(driver, EvaDts):
        desk = AuditDesk(device, driver, premises)
        return ConversationSession(settings, driver, desk, ports), desk
    if isinstance(driver, MdbAdapter):
        bus = MdbDesk(device, driver, premises)
        bus.session = ConversationSession(settings, driver, bus, ports)
        return bus.session, bus
    tags = TagCabinet(device, driver, premises)
    tags.session = ConversationSession(settings, driver, tags, ports)
    return tags.session, tags
