"""The pages' server: uvicorn's protocol on a listener of our own.

uvicorn's own server wakes ten times a second and takes the signals; a gateway that idles on a Pi wants neither, and has
to be gone within a second of SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from gateway.clock import Clock

log = logging.getLogger("gateway.web")

RETRY_SECONDS = 5.0
# Seconds that those who are still asking have for hearing that the gateway stops.
LAST_WORDS = 0.5


async def serve(pages: Any, host: str, port: int, clock: Clock) -> None:  # noqa: ANN401 - any ASGI application
    """Serves until cancelled. A port that is taken is said and tried again: vending does not depend on pages."""
    # Imported where it is used: a gateway without pages does without its megabytes.
    from uvicorn import Config  # noqa: PLC0415
    from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415
    from uvicorn.server import ServerState  # noqa: PLC0415

    config = Config(
        _ending_well(pages), log_config=None, access_log=False, lifespan="off", ws="none", http="h11", date_header=False
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    listener: asyncio.Server | None = None
    while listener is None:
        try:
            listener = await loop.create_server(
                lambda: H11Protocol(config=config, server_state=state, app_state={}), host, port
            )
        except OSError as error:
            log.warning("the pages cannot be served yet", extra={"host": host, "port": port, "why": str(error)})
            await clock.sleep(RETRY_SECONDS * clock.scale)
    bound = listener.sockets[0].getsockname()[1]
    log.info("pages", extra={"url": f"http://{host}:{bound}/"})
    try:
        await listener.serve_forever()
    finally:
        for connection in list(state.connections):
            connection.shutdown()
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_WORDS)


def _ending_well(pages: Any) -> Any:  # noqa: ANN401
    """Who is still waiting for an answer when the gateway stops hears 503, or the end of what he was hearing: a page
    that waits for news is the ordinary case at a stop, and no error that belongs into the log.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        begun = False

        async def told(message: Any) -> None:  # noqa: ANN401
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await pages(scope, receive, told)
        except asyncio.CancelledError:
            # What was promised a length and has less of it cannot be ended well; then the connection just closes.
            with contextlib.suppress(RuntimeError, OSError):
                if not begun:
                    await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"1")]})
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app
