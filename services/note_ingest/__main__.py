from services.common.runtime import start
from services.note_ingest.app import main
from services.note_ingest.config import NoteIngestSettings

start("note-ingest", NoteIngestSettings, main)
