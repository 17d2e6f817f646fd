"""Work that takes longer than a caller wants to wait."""
import time


@DFF.API('Sum of squares, slowly', tags=['example'], timeout=600)
def squares(count: int = 5, pause: float = 0.2):
    '''Adds the first `count` squares and rests `pause` seconds before each.'''
    total = 0
    for number in range(count):
        time.sleep(pause)
        print('step', number + 1, 'of', count, 'seconds left:', round(DFF.DEADLINE()))
        total += number * number
    return {'total': total, 'task': _DFF_TASK_ID}
