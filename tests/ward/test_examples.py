from ward.examples import FOLDER, examples


def test_the_example_files_are_those_of_the_generator() -> None:
    written = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert written == dict(examples()), "run make examples"
