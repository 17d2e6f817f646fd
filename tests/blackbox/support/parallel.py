"""Things that happen at the same moment."""

from __future__ import annotations

import threading

TASK_S = 120.0


def in_parallel(*tasks) -> list:
    """What the tasks return that begin at the same moment; None for one that failed or did not end in TASK_S."""
    barrier, results = threading.Barrier(len(tasks)), [None] * len(tasks)

    def work(number: int, task) -> None:
        barrier.wait(30)
        results[number] = task()

    threads = [threading.Thread(target=work, args=(number, task)) for number, task in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TASK_S)
    return results
