"""What the readers of FHIR resources are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.note_ingest.drafts import Subject
from services.note_ingest.fhir.resources import References, Resource, moment
from services.note_ingest.refusals import BAD_VALUE, Refused


@dataclass(frozen=True, slots=True)
class Reading:
    """What there is beside the resource: the rest of the request, and when it came."""

    references: References
    arrived: datetime
    future: timedelta

    def time(self, resource: Resource, *paths: str) -> datetime:
        """The first of the elements ("effectivePeriod.start") that is there, else the time of arrival.

        Raises Refused when it lies too far ahead.
        """
        return self.stated_time(resource, *paths) or self.arrived

    def stated_time(self, resource: Resource, *paths: str) -> datetime | None:
        """As `time`; None where the resource tells no time."""
        for path in (*paths, "meta.lastUpdated"):
            value: Any = resource
            for step in path.split("."):
                value = value.get(step) if isinstance(value, Mapping) else None
            place = f"{resource['resourceType']}.{path}"
            found = moment(value, place)
            if found is not None:
                if found > self.arrived + self.future:
                    raise Refused(BAD_VALUE, "The time lies in the future", place)
                return found
        return None

    def subject(self, resource: Resource, element: str = "subject") -> Subject:
        """Patient and encounter of a resource. Raises Refused without a patient's identifier."""
        patient, _ = self.references.patient(resource, element)
        context = resource.get("context")
        encounters = (context or {}).get("encounter") if isinstance(context, Mapping) else None
        reference = resource.get("encounter") or (encounters[0] if encounters else {})
        return Subject(patient, self.references.visit(resource, reference))
