"""Notes share inferences, and nobody's answer depends on the company."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from vigil.v1.notes_pb2 import NoteCoded

from services.nlp_coder.batching import MOST_NOTES
from services.nlp_coder.handlers import Coder
from tests.nlp_coder.fakes import LocalInference, coded, with_inference

PNEUMONIA = "ASSESSMENT: Community-acquired pneumonia with sepsis. No pulmonary embolism."
TEXTS = [
    PNEUMONIA,
    "Mother with breast cancer. Denies chest pain. Hypertension, type 2 diabetes.",
    "Acute on chronic systolic heart failure with atrial fibrillation and COPD. " * 6,
    "Fractura no; el paciente niega fiebre y dolor desde ayer.",
    "FINDINGS: small left pleural effusion. No pneumothorax.\nIMPRESSION: effusion.",
    "",
    "Past medical history: stroke, gout, asthma. " * 12,
    "fever",
]


class Recording(LocalInference):
    """Also says how many rows each call had, in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    async def infer(
        self, model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        self.rows.append(len(inputs["token_ids"]))
        await asyncio.sleep(0)
        return await super().infer(model, inputs, outputs)


async def test_notes_handled_together_share_inferences(coder: Coder) -> None:
    inference = Recording()
    sharing = with_inference(coder, inference)
    await asyncio.gather(*(coded(sharing, f"{PNEUMONIA} {number}") for number in range(MOST_NOTES + 3)))
    assert sorted(inference.rows) == [3, MOST_NOTES]


async def test_a_note_alone_is_not_kept_waiting(coder: Coder) -> None:
    inference = Recording()
    await coded(with_inference(coder, inference), PNEUMONIA)
    assert inference.rows == [1]


async def test_a_caller_who_leaves_takes_nobody_along(coder: Coder) -> None:
    sharing = with_inference(coder, LocalInference())
    tasks = [asyncio.create_task(coded(sharing, PNEUMONIA)) for _ in range(6)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[3].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [
        True,
        False,
        False,
        True,
        False,
        False,
    ]
    assert (await coded(sharing, PNEUMONIA)).codes


async def test_a_bug_in_the_model_call_reaches_every_note_of_the_batch(coder: Coder) -> None:
    class Broken(LocalInference):
        async def infer(self, *_: Any) -> dict[str, NDArray[Any]]:
            raise ValueError("empty tensor")

    broken = with_inference(coder, Broken())
    answers = await asyncio.gather(*(coded(broken, PNEUMONIA) for _ in range(3)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["empty tensor"] * 3


@pytest.fixture(scope="module")
def inference() -> LocalInference:
    return LocalInference()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=12))
async def test_order_and_company_change_nothing(texts: list[str], coder: Coder, inference: LocalInference) -> None:
    alone = {text: await answer_to(coder, text) for text in set(texts)}
    shared = with_inference(coder, inference)
    batched = await asyncio.gather(*(answer_to(shared, text) for text in texts))
    assert [alone[text] == other for text, other in zip(texts, batched, strict=True)] == [True] * len(texts)


async def answer_to(coder: Coder, text: str) -> NoteCoded:
    """Without what names the message and its trace."""
    answer = await coded(coder, text)
    answer.ClearField("meta")
    return answer
