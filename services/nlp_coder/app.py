"""Composition root of nlp-coder."""

import gc
from functools import partial

import grpc
from vigil.v1 import nlp_coder_service_pb2_grpc as service_grpc
from vigil.v1.nlp_coder_service_pb2 import DESCRIPTOR

from services.common.bus import Loop, Producer, Publish, Received, consume
from services.common.clock import Clock, utc_now
from services.common.grpc_server import serve_grpc
from services.common.health import Health
from services.common.http import serve_http
from services.common.runtime import run_until_stopped
from services.common.topics import Topic
from services.common.triton import TritonClient
from services.nlp_coder.audit_policy import load_auditor
from services.nlp_coder.batching import Turns
from services.nlp_coder.config import NlpCoderSettings
from services.nlp_coder.entities import EntityReader, load_entity_tables
from services.nlp_coder.entity_model import NOTE_ENTITIES, load_note_entities
from services.nlp_coder.features import load_vocabulary
from services.nlp_coder.grpc_api import NlpCoderApi
from services.nlp_coder.guesses import guess_table
from services.nlp_coder.handlers import Coder, code_received_note, warm_up
from services.nlp_coder.language import load_languages
from services.nlp_coder.models import ICD_CODER, IcdCoder
from services.nlp_coder.outage import Outage
from services.nlp_coder.ranking import load_ranker
from services.nlp_coder.reading import load_reader
from services.nlp_coder.report_terms import load_report_terms
from services.nlp_coder.serving import Inference

SERVICE = "nlp-coder"


def make_coder(settings: NlpCoderSettings, triton: Inference, clock: Clock) -> Coder:
    """Load every table and put the parts together. Four to five seconds; twenty the first time, which compiles."""
    assets = settings.shared.model_repository / ICD_CODER / "assets"
    model = IcdCoder(triton, load_vocabulary(assets), Outage(settings.model_wait_s))
    reader = load_reader()
    languages = load_languages(word for words, _term in reader.dictionary.phrases() for word in words)
    ranker, auditor = load_ranker(assets), load_auditor(assets, reader)
    coder = Coder(
        reader=reader,
        ranker=ranker,
        auditor=auditor,
        report_terms=load_report_terms(),
        languages=languages,
        icd_coder=model,
        guesses=guess_table(model.vocabulary.codes, reader.code_set),
        entities=_entity_reader(settings, triton, model.served.turns) if settings.entities else None,
        clock=clock,
        max_note_chars=settings.max_note_chars,
    )
    warm_up(coder)
    return coder


def _entity_reader(settings: NlpCoderSettings, triton: Inference, turns: Turns) -> EntityReader:
    """A second of tables, and the model, which is asked in the turns of the coder's."""
    assets = settings.shared.model_repository / NOTE_ENTITIES / "assets"
    model = load_note_entities(assets, triton, Outage(settings.model_wait_s), turns)
    return EntityReader(load_entity_tables(), model)


def collect_less_often() -> None:
    """Have the collector look at a note's objects once it is done, and not fifteen times on the way: a tenth faster."""
    gc.set_threshold(50_000, 20, 100)


async def _probe(coder: Coder) -> None:
    """A real inference of each model that is asked."""
    await coder.icd_coder.probe()
    if coder.entities is not None:
        await coder.entities.model.probe()


async def main(settings: NlpCoderSettings, clock: Clock = utc_now) -> None:
    """Run until a signal."""
    collect_less_often()
    health, shared = Health(), settings.shared
    async with TritonClient(shared) as triton, Producer(shared, SERVICE) as producer:
        coder = make_coder(settings, triton, clock)
        health.dependency("kafka", producer.check)
        health.dependency("triton", partial(_probe, coder))

        async def on_note(received: Received) -> list[Publish]:
            return [await code_received_note(received.message, coder)]

        def register(server: grpc.aio.Server) -> None:
            service_grpc.add_NlpCoderServiceServicer_to_server(NlpCoderApi(coder), server)

        name = DESCRIPTOR.services_by_name["NlpCoderService"].full_name
        await run_until_stopped(
            serve_http(shared.bind_host, settings.http_port, health),
            serve_grpc(shared.bind_host, settings.grpc_port, health, register, [name]),
            consume(
                shared,
                Loop(SERVICE, on_note, producer, clock),
                [Topic.NOTES_RECEIVED],
                health,
                max_batch=settings.batch_notes,
            ),
        )
