"""Notes on real Triton: alone, together and in any order they get the same answers."""

import asyncio
import random

from vigil.v1.notes_pb2 import NoteCoded

from services.common.triton import TritonClient
from services.nlp_coder.app import make_coder
from services.nlp_coder.config import NlpCoderSettings
from services.nlp_coder.handlers import Coder
from tests.nlp_coder.fakes import NOW, coded
from tests.nlp_coder.language_samples import ENGLISH
from tests.stacks import Stack

LONG = "Patient with pneumonia, acute kidney injury and anemia walks to the window without help. " * 450
TEXTS = [*ENGLISH, " ".join(ENGLISH), LONG, LONG + "Acute appendicitis with peritonitis."]


async def test_order_and_company_of_notes_change_nothing(kafka_and_triton: Stack) -> None:
    settings = NlpCoderSettings(shared=kafka_and_triton.settings)
    async with TritonClient(kafka_and_triton.settings) as triton:
        coder = make_coder(settings, triton, lambda: NOW)
        alone = [await answer_to(coder, text) for text in TEXTS]
        assert not any(answer.degraded for answer in alone)
        assert {model.name for answer in alone for model in answer.models} == {"icd_coder", "note_entities"}
        assert any(code.code.startswith("K35") for code in alone[-1].codes)
        shuffler = random.Random(7)  # noqa: S311 - the order of a test
        for size in (2, 8, len(TEXTS)):
            order = shuffler.sample(range(len(TEXTS)), len(TEXTS))
            for start in range(0, len(order), size):
                together = order[start : start + size]
                answers = await asyncio.gather(*(answer_to(coder, TEXTS[number]) for number in together))
                assert [alone[number] == one for number, one in zip(together, answers, strict=True)] == [True] * len(
                    together
                )


async def answer_to(coder: Coder, text: str) -> NoteCoded:
    """Without what names the message and its trace."""
    answer = await coded(coder, text)
    answer.ClearField("meta")
    return answer
