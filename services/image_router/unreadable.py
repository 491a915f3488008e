"""How broken input shows itself in the libraries that read it."""

import struct
import zlib

from PIL import Image
from pydicom.errors import BytesLengthException, InvalidDicomError

# What pydicom, its decoders and Pillow raise for broken input; anything else is a bug of ours.
UNREADABLE = (
    InvalidDicomError,
    BytesLengthException,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    RuntimeError,
    OSError,
    EOFError,
    struct.error,
    SyntaxError,
    AssertionError,
    MemoryError,
    zlib.error,
    Image.DecompressionBombError,
)
