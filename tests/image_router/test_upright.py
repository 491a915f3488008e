import numpy as np
import pytest

from services.image_router.preprocessing import read_part
from services.image_router.upright import AS_SENT, REMEDIES, Remedy
from tests.image_router.samples import gradient, ward_film

PICTURE = gradient(20, 30).astype(np.float32) / 255


@pytest.mark.parametrize("remedy", [AS_SENT, *REMEDIES])
def test_a_map_of_what_was_put_right_lies_again_as_the_picture_was_sent(remedy: Remedy) -> None:
    put_right = remedy.apply(PICTURE)
    assert remedy.undo(put_right).shape == PICTURE.shape
    marked = np.zeros_like(put_right)
    spot = np.unravel_index(int(put_right.argmax()), put_right.shape)
    marked[spot] = 1
    back = np.unravel_index(int(remedy.undo(marked).argmax()), PICTURE.shape)
    expected = PICTURE.argmin() if "black and white" in remedy.note else PICTURE.argmax()
    assert PICTURE[back] == pytest.approx(float(PICTURE.flat[int(expected)]))


def test_each_turn_is_put_right_by_one_of_the_remedies() -> None:
    for quarters in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(PICTURE, quarters))
        assert any(
            remedy.apply(turned).shape == PICTURE.shape and np.array_equal(remedy.apply(turned), PICTURE)
            for remedy in REMEDIES
        )
    assert np.allclose(REMEDIES[0].apply(1 - PICTURE), PICTURE)


@pytest.mark.parametrize("remedy", [AS_SENT, *REMEDIES])
def test_the_part_that_a_model_saw_lies_as_the_picture_was_sent(remedy: Remedy) -> None:
    upright = ward_film("chest_clear_a.jpg").astype(np.float32) / 255
    sent = remedy.undo(1 - upright if "black and white" in remedy.note else upright)
    seen = read_part(upright, "chest_film")
    box = remedy.undo_part(seen, sent.shape)
    marked = np.zeros(sent.shape, np.float32)
    marked[box.top : box.bottom, box.left : box.right] = 1
    wanted = np.zeros(upright.shape, np.float32)
    wanted[seen.top : seen.bottom, seen.left : seen.right] = 1
    np.testing.assert_array_equal(remedy.apply(marked) if remedy.turns else marked, wanted)
