"""Whatever stands in a report, it is read, and what is said of it are words of it."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.findings import challenge_rows, read_findings
from services.nlp_coder.findings import Finding
from services.nlp_coder.report_terms import body_regions
from services.nlp_coder.tokens import words_of
from tests.nlp_coder.findings.test_challenge import FLOORS, HERE

REPORTS = [row.text for name in FLOORS for row in challenge_rows(HERE / name)]
PIECES = [
    *(
        "No ",
        "no acute ",
        "FINDINGS: ",
        "IMPRESSION:\n",
        "HISTORY: ",
        "\r\n",
        "\n\n",
        ", ",
        " and ",
        " or ",
        ".",
        ":",
        "?",
    ),
    *(
        "effusion",
        "2 x 3.5 cm",
        "left ",
        "both bases",
        "ETT ",
        "4cm above the carina",
        "\u0301",
        "\U0001fac1",
        "\u202e",
        "\x00",
    ),
    *("removed ", "increased ", "which showed ", "Heart: ", "normal", "if any", "may be ", "fetal ", "\U0001d51b"),
]
ANY_REPORT = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    st.lists(st.one_of(st.sampled_from(REPORTS), st.sampled_from(PIECES), st.text(max_size=8)), max_size=8).map(
        "".join
    ),
    st.tuples(st.sampled_from(REPORTS), st.integers(0, 200), st.text(max_size=3)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]
    ),
)
STRENGTH = ["negative", "uncertain", "positive"]


def spans_of(findings: list[Finding]) -> Iterator[tuple[int, int]]:
    for finding in findings:
        yield from finding.spans
        for mention in finding.mentions:
            yield mention.span


@settings(max_examples=300, deadline=None)
@given(text=ANY_REPORT)
def test_every_report_is_read_and_its_spans_hold_whole_words(text: str) -> None:
    findings = read_findings(text)
    words = words_of(text)
    starts, ends = set(words.starts), set(words.ends)
    for start, end in spans_of(findings):
        assert start in starts
        assert end in ends
        assert start < end
    for detail in (detail for one in findings for mention in one.mentions for detail in mention.details):
        assert 0 <= detail.span[0] < detail.span[1] <= len(text)
        assert detail.value
        if detail.name not in {"size", "position"}:
            assert detail.span[0] in starts
            assert detail.span[1] in ends


@settings(max_examples=300, deadline=None)
@given(text=ANY_REPORT)
def test_a_label_has_one_status_and_the_spans_of_the_mentions_that_say_it(text: str) -> None:
    findings = read_findings(text)
    labels = [finding.label for finding in findings]
    assert len(set(labels)) == len(labels)
    for finding in findings:
        deciding = dict.fromkeys(one.span for one in finding.mentions if one.status == finding.status)
        assert finding.spans == list(deciding)
    found = {finding.label for finding in findings if finding.status != "negative"} - {"support_devices"}
    assert "no_finding" not in found or found == {"no_finding"}


@settings(max_examples=100, deadline=None)
@given(text=ANY_REPORT)
def test_a_location_is_a_region_of_the_table(text: str) -> None:
    regions = body_regions()
    for detail in (detail for one in read_findings(text) for mention in one.mentions for detail in mention.details):
        if detail.name == "location":
            side, _, name = detail.value.partition("_")
            assert detail.value in regions or (side in {"left", "right"} and regions[name].is_sided)


@settings(max_examples=50, deadline=None)
@given(texts=st.permutations(REPORTS[:40]))
def test_the_order_of_reports_changes_nothing(texts: list[str]) -> None:
    alone = {text: read_findings(text) for text in REPORTS[:40]}
    assert [read_findings(text) for text in texts] == [alone[text] for text in texts]


@settings(max_examples=50, deadline=None)
@given(text=st.sampled_from(REPORTS), blanks=st.text(alphabet="\n ", max_size=6))
def test_blanks_before_a_report_move_its_spans_and_nothing_else(text: str, blanks: str) -> None:
    moved = [(start - len(blanks), end - len(blanks)) for start, end in spans_of(read_findings(blanks + text))]
    assert moved == list(spans_of(read_findings(text)))
