"""The XHTML in which FHIR documents are told to people, as plain text."""

from html.parser import HTMLParser


class _Narrative(HTMLParser):
    """Words of an XHTML narrative; block elements end lines."""

    BLOCKS = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.parts.append("\n" if tag in self.BLOCKS else " " if tag in {"td", "th"} else "")

    def handle_endtag(self, tag: str) -> None:
        self.parts.append("\n" if tag in self.BLOCKS - {"br"} else "")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def words_of_narrative(div: str) -> str:
    """The words of a `div`, a block a line."""
    parser = _Narrative()
    parser.feed(div)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line)
