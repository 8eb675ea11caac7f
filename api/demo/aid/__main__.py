"""The organisation beside a process that started it: a plan on the first line of standard input.

Where it is comes out as one line; it ends when standard input does, however that comes.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading

import msgspec

from api.demo.aid.running import Open, Plan, run


def main() -> None:
    """Read the plan, and be open until the end of standard input."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # whoever started us says when to end
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)
    asyncio.run(_work(plan))


async def _work(plan: Plan) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await run(plan, _tell, stop)


def _tell(where: Open) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(where) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
