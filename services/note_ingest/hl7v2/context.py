"""What every reader of HL7 v2 messages is given."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from services.note_ingest.hl7v2.er7 import Message, Segment
from services.note_ingest.hl7v2.times import first_time, stated_zone
from services.note_ingest.refusals import BAD_VALUE, MISSING, Refused


@dataclass(frozen=True, slots=True)
class Reading:
    """One message with its trigger ("A01") and the settings it is read with.

    zone: of times without one. future: how far ahead of its arrival an event may lie.
    """

    message: Message
    trigger: str
    zone: tzinfo
    arrived: datetime
    future: timedelta

    def event_time(self, *places: tuple[Segment | None, int]) -> datetime:
        """The first filled one of the fields, else MSH-7, else the time of arrival.

        Raises Refused for a time that is malformed or too far ahead: one wrong clock would make everything that
        follows look old.
        """
        header = self.message.header
        for segment, field in (*places, (header, 7)):
            moment = first_time(self.zone, (segment, field))
            if moment is None or segment is None:
                continue
            if moment > self.arrived + self.future:
                raise Refused(BAD_VALUE, f"{segment.label(field)} lies in the future", segment.at(field))
            return moment
        return self.arrived

    def required(self, name: str) -> Segment:
        """The first segment of that name. Raises Refused without one."""
        segment = self.message.first(name)
        if segment is None:
            raise Refused(MISSING, f"{name} is missing", f"{name}^1")
        return segment


def reading(message: Message, trigger: str, zone: tzinfo, arrived: datetime, future: timedelta) -> Reading:
    """As `Reading`, with the zone that MSH-7 states for the whole message before the site's."""
    return Reading(message, trigger, stated_zone(message.header, zone), arrived, future)
