"""Triton away or late: every note gets its answer, says so, and waits no longer than the outage is allowed to last."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from numpy.typing import NDArray

from services.common.triton import ModelUnavailable
from services.nlp_coder import metrics
from services.nlp_coder.features import LENGTHS
from services.nlp_coder.handlers import Coder
from services.nlp_coder.models import IcdCoder
from services.nlp_coder.outage import STALE_S, TRIAL_EVERY_S, Outage
from tests.nlp_coder.fakes import LocalInference, asked_of_model, coded, with_inference

NOTE = "ASSESSMENT: Community-acquired pneumonia with sepsis."
ALWAYS = 10**6


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


async def test_an_outage_that_lasts_gives_a_labelled_answer_of_the_dictionary(coder: Coder) -> None:
    away = with_inference(coder, LocalInference(failures=ALWAYS), 0.2)
    before = metrics.NOTES.labels("degraded")._value.get()
    answer = await coded(away, NOTE)
    assert answer.degraded
    assert answer.degraded_reason == "icd_coder: away; codes are from the dictionary and the rules alone"
    assert [model.name for model in answer.models] == ["note_entities"]
    assert {code.origin for code in answer.codes} == {"dictionary"}
    assert "J18.9" in {code.code for code in answer.codes if code.selected}
    assert answer.threshold == pytest.approx(coder.ranker.dictionary_alone.threshold)
    assert metrics.NOTES.labels("degraded")._value.get() == before + 1


async def test_a_short_outage_is_waited_for(coder: Coder) -> None:
    inference = LocalInference(failures=3)
    answer = await coded(with_inference(coder, inference, 5), NOTE)
    assert not answer.degraded
    assert inference.calls == 4


@pytest.mark.timeout(15)
async def test_notes_of_one_batch_wait_together(coder: Coder) -> None:
    away = with_inference(coder, LocalInference(failures=ALWAYS), 0.5)
    answers = await asyncio.gather(*(coded(away, f"{NOTE} {number}") for number in range(60)))
    assert all(answer.degraded for answer in answers)


async def test_after_the_wait_no_note_asks_the_model_that_is_away(coder: Coder) -> None:
    inference = LocalInference(failures=ALWAYS)
    away = with_inference(coder, inference)
    await coded(away, NOTE)
    calls = inference.calls
    answers = [await coded(away, NOTE) for _ in range(5)]
    assert all(answer.degraded and answer.degraded_reason.startswith("icd_coder: away") for answer in answers)
    assert inference.calls == calls


async def test_a_trial_beside_the_notes_finds_out_that_the_model_is_back(coder: Coder) -> None:
    clock, inference = Clock(), LocalInference(failures=1)
    model = IcdCoder(inference, coder.icd_coder.vocabulary, Outage(0, clock))
    asked = asked_of_model(NOTE, coder)
    with pytest.raises(ModelUnavailable):
        await model.predict(*asked)
    clock.seconds += TRIAL_EVERY_S
    with pytest.raises(ModelUnavailable):
        await model.predict(*asked)
    assert model.served._trial is not None
    await model.served._trial
    assert inference.calls == 2
    assert (await model.predict(*asked)).scored


async def test_an_outage_of_long_ago_is_found_out_about_anew(coder: Coder) -> None:
    clock, inference = Clock(), LocalInference(failures=1)
    model = IcdCoder(inference, coder.icd_coder.vocabulary, Outage(0, clock))
    asked = asked_of_model(NOTE, coder)
    with pytest.raises(ModelUnavailable):
        await model.predict(*asked)
    clock.seconds += STALE_S
    assert (await model.predict(*asked)).scored


async def test_readiness_ends_a_known_outage(coder: Coder) -> None:
    model = with_inference(coder, LocalInference(failures=1)).icd_coder
    asked = asked_of_model(NOTE, coder)
    with pytest.raises(ModelUnavailable):
        await model.predict(*asked)
    await model.probe()
    assert (await model.predict(*asked)).scored


class RefusesLongNotes(LocalInference):
    """As a Triton whose answer to a long note is larger than its caller takes."""

    async def infer(
        self, model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        if inputs["token_ids"].shape[1] > LENGTHS[0]:
            raise ModelUnavailable(f"{model}: refused")
        return await super().infer(model, inputs, outputs)


@pytest.mark.timeout(30)
async def test_a_note_that_only_ever_fails_itself_does_not_wait_for_ever(coder: Coder) -> None:
    """Others are answered meanwhile, so that no outage lasts; its clock stands still, however slow the machine is.

    The two kinds of note differ in length by so much that they are never in one batch.
    """
    refusing = with_inference(coder, RefusesLongNotes(), 0.5, Clock())
    long = "Assessment: " + ", ".join(code.display for code in list(coder.reader.code_set.codes.values())[:4000:40])
    assert len(asked_of_model(long, coder)[1][0].occurrences.words) > LENGTHS[0]
    waiting = asyncio.create_task(coded(refusing, long))
    while not waiting.done():
        assert not (await coded(refusing, NOTE)).degraded
        await asyncio.sleep(0)
    assert (await waiting).degraded
