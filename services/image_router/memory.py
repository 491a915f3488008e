"""Memory of the process: what pictures had is kept for the next one, what modules have is not searched for garbage."""

import ctypes
import gc

# From glibc's malloc.h. Left alone, a thread gives every large array back to the system, and the system clears its
# pages anew for the next one: a fifth of the time of a film.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 64 * 1024 * 1024  # at most, of what each thread had
LARGEST_KEPT_BYTES = 32 * 1024 * 1024  # of one array, the most that glibc takes; larger ones go back at once


def keep_freed_memory() -> None:
    """For the whole process. Without glibc nothing changes."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return
    mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def leave_modules_out_of_collections() -> None:
    """What is loaded now stays: to look through it all anew stops every image for 47 ms, again and again."""
    gc.collect()
    gc.freeze()
