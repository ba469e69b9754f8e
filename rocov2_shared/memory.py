"""Memory that a process may use."""

from __future__ import annotations

from rocov2_shared.errors import UserError
from rocov2_shared.processors import usable_processors
from rocov2_shared.sizes import format_size

try:
    import resource
except ImportError:  # Windows
    _HAS_LIMITS = False
else:
    _HAS_LIMITS = True

_NEEDED, _NEEDED_PER_PROCESSOR = 2_400_000_000, 100_000_000
"""Address space that Arrow, its allocator and its threads reserve, in bytes; they use a tenth of it. `rocov2 check` of the
sample was seen to reserve 1.9 GB on two processors, and with less, libraries end the process where no error can be caught."""


def require_address_space() -> None:
    """Require that no limit (`ulimit -v`) keeps libraries from reserving the addresses that they need.

    Raises:
        UserError: the limit is too low.
    """
    if not _HAS_LIMITS:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    needed = _NEEDED + _NEEDED_PER_PROCESSOR * usable_processors()
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise UserError(
            f"the limit of address space (ulimit -v) is {format_size(limit)}, but this command needs {format_size(needed)}: "
            f"raise it, e.g. ulimit -v {-(-needed // 1024)}"
        )
