"""Runs a coroutine to its end on the event loop of this worker; tasks it leaves behind are cancelled."""

_loop = None


def run(coroutine):
    global _loop
    # Large, and few functions need it: not imported before the fork. The loader does it for scripts that have an async def.
    import asyncio
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
    asyncio.set_event_loop(_loop)
    try:
        return _loop.run_until_complete(coroutine)
    finally:
        left = asyncio.all_tasks(_loop)
        if left:
            for task in left:
                task.cancel()
            _loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        _loop.run_until_complete(_loop.shutdown_asyncgens())
