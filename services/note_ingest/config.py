from datetime import timedelta

from pydantic import Field

from services.common.settings import ServiceSettings, ZoneName, service_config


class NoteIngestSettings(ServiceSettings):
    """Settings of note-ingest (VIGIL_NOTE_INGEST_...)."""

    model_config = service_config("note-ingest")

    http_port: int = Field(8081, description="FHIR R4 under /fhir, health, metrics.")
    grpc_port: int = Field(50051, description="gRPC NoteIngestService.")
    mllp_port: int = Field(2575, description="HL7 v2 over MLLP.")
    time_zone: ZoneName = Field("UTC", description="IANA zone of HL7 times that state none.")
    max_future: timedelta = Field(
        timedelta(hours=24), description="How far ahead of its arrival an event may lie; further is refused."
    )
    fhir_id_authority: str = Field(
        "",
        description="Assigning authority of FHIR patients that are named only as Patient/id; "
        "empty: VIGIL_DEFAULT_AUTHORITY.",
    )
    mllp_end_pause_s: float = Field(
        0.5, gt=0, description="Seconds without a byte after which 0x1C alone has ended an MLLP message."
    )
    max_message_bytes: int = Field(4 * 1024 * 1024, gt=0, description="Largest message taken, bytes.")
    max_note_chars: int = Field(1_000_000, gt=0, description="Longest note taken, characters.")
    pipeline: int = Field(64, gt=0, description="Messages of one connection or stream that may await their answer.")
    max_connections: int = Field(1000, gt=0, description="MLLP connections open at once.")
    max_in_flight: int = Field(512, gt=0, description="Messages of all connections that may await Kafka.")
