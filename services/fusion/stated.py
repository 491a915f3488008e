"""What results say of the person and the place, for patients whose movements nobody sends. Pure."""

from collections.abc import Callable

from vigil.v1.encounters_pb2 import Encounter, Sex
from vigil.v1.meta_pb2 import Meta
from vigil.v1.observations_pb2 import ObservationsReceived

# What a group of results may state; of each the newest group that states it counts.
STATEMENTS: tuple[Callable[[Encounter], bool], ...] = (
    lambda one: one.HasField("age_years"),
    lambda one: one.sex != Sex.SEX_UNSPECIFIED,
    lambda one: one.pregnant,
    lambda one: bool(one.ward or one.bed),
)


def with_stated(kept: tuple[Encounter, ...], group: ObservationsReceived) -> tuple[Encounter, ...]:
    """The newest statements, oldest first, `group` among them if it states anything; the order of arrival is no matter.

    Each is an Encounter that says nothing of the stay itself.
    """
    new = _statement(group)
    if not any(states(new) for states in STATEMENTS):
        return kept
    together = {_order(one): one for one in (*kept, new)}
    newest = {max((at for at, one in together.items() if states(one)), default=None) for states in STATEMENTS}
    return tuple(one for at, one in sorted(together.items(), key=lambda item: item[0]) if at in newest)


def filled(known: Encounter, stated: Encounter | None) -> Encounter:
    """`known` with what only results state. Pregnancy and place hold for the visit that they were stated of."""
    if stated is None:
        return known
    whole = Encounter()
    whole.CopyFrom(known)
    if stated.HasField("age_years") and not known.HasField("age_years"):
        whole.age_years = stated.age_years
    whole.sex = known.sex or stated.sex
    visits = {known.meta.encounter_key, stated.meta.encounter_key} - {""}
    if len(visits) > 1:
        return whole
    whole.pregnant = known.pregnant or stated.pregnant
    if not (known.ward or known.bed):
        whole.ward, whole.room, whole.bed = stated.ward, stated.room, stated.bed
    return whole


def _statement(group: ObservationsReceived) -> Encounter:
    meta = group.meta
    return Encounter(
        meta=Meta(
            message_id=meta.message_id,
            event_time=meta.event_time,
            ingest_time=meta.ingest_time,
            encounter_key=meta.encounter_key,
            revision=meta.revision,
        ),
        age_years=group.age_years if group.HasField("age_years") else None,
        sex=group.sex,
        pregnant=group.pregnant,
        ward=group.ward,
        room=group.room,
        bed=group.bed,
    )


def _order(one: Encounter) -> tuple[int, int, int, int, int, str]:
    at, arrived = one.meta.event_time, one.meta.ingest_time
    return at.seconds, at.nanos, arrived.seconds, arrived.nanos, one.meta.revision, one.meta.message_id
