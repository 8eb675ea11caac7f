"""Whether an address answers with 200: exit 0, else 1. For images, which have no curl."""

import sys
import urllib.request

_TIMEOUT_S = 3


def is_healthy(url: str) -> bool:
    """Ask once, and not by a proxy that the environment may name."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=_TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not is_healthy(sys.argv[1]))
